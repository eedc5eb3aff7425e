package verify

// KnownHeaders returns how many headers s remembers.
func KnownHeaders(s *KeySet) int {
	if m := s.headers.Load(); m != nil {
		return len(*m)
	}
	return 0
}
