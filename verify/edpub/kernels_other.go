package edpub

const hasIFMA, hasADX = false, false
