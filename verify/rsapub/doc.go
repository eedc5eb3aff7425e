// Package rsapub verifies RSA signatures, RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 8017, 8.1.2 and 8.2.2; RFC 7518, 3.3 and 3.5),
// with the state of the modulus precomputed per key. Keys are public and so are signatures: every function may take time that
// depends on its inputs. It never signs.
//
// # Kernels
//
// A PublicKey computes s^e mod n with one of three kernels that return the same value for all inputs:
//
//   - Portable: Go, radix 2^64, separated squaring and Montgomery reduction.
//   - ADX: the same with MULX, ADCX and ADOX in assembly.
//   - IFMA: AVX-512 IFMA, radix 2^52, one message in vectors of eight digits.
//
// crypto/rsa derives R² and n0 anew on each call, and of our sizes has assembly for 2048 bits only; both are where the time is won. For
// e = 65537 a verification costs 18 Montgomery multiplications: into the domain, 16 squarings, and one by the plain signature,
// which leaves the domain; 17 and a short one where residues are compared.
//
// # Almost Montgomery
//
// Intermediate values are not reduced to [0, n). In radix 2^64 with L limbs, R = 2^(64L), operands are below R; (ab + qn)/R is below
// R + n, and n is subtracted once when that carries out of L limbs. In radix 2^52 with D digits, R = 2^(52D) is at least 4n (D is chosen
// so), operands are below 2n, and (ab + qn)/R is below 2n without any subtraction. The last multiplication is by s < n and gives
// a value below 2n in both, and one comparison with n makes it canonical before anything is compared with it.
//
// # Sizes
//
// Assembly has no tails. Radix 2^64 goes by blocks of 8 limbs, whose number is an argument. Radix 2^52 has routines for 40, 64 and 80
// digits, that is 5, 8 and 10 ZMM registers. A modulus between two sizes costs as much as the larger one.
//
// # The ADX block
//
// A block is a product of 8 by 8 limbs. The sums are a window of 8 limbs in registers that moves up by one limb a row; low and high halves of
// the products are added by two carry chains that do not wait for each other. The bound on Zen 4 is 1.5 cycles for each
// MULX, ADCX and ADOX; the blocks reach 1.57. A square takes each product of different limbs once, then doubles.
//
// # The IFMA row
//
// One row adds a·b[i] and q·n and shifts the accumulator right by one digit, where q makes the lowest digit zero. VPMADD52LUQ
// adds the low 52 bits of each product, VPMADD52HUQ the high ones, which belong one digit higher: the low halves are added before
// the shift; the high halves are summed apart and added after it, since a chain of four multiply-adds through the accumulator would be longer
// than the row. The chain q → accumulator → next q would be longer still when q came out of the vector, so the lowest digit is kept in
// general registers: the digit above it is taken out of the vector before q is known, and what q adds to it is computed with MULX beside the
// vector work. That leaves the vector two rows of time. The bound is the multiplier, 4 cycles a register and row; the rows take 23, 34 and
// 42.5 cycles for 20, 32 and 40. What is lost comes with the shifts (VALIGNQ): without them the bound is met.
//
// # The IFMA square
//
// Squarings have their digits in columns: with z registers digit z·l + r is in lane l of register r, so that the next digit is in the next
// register and a shift by a digit is a change of names, but for one register whose lanes are shifted. It also lets a square take the
// products of two registers once: a digit of register r is multiplied by the registers from r on, and the sums of different ones, kept
// apart, are added twice when they have come down to the lowest digits. Each pair of digits is there by the row of the greater one,
// which is not above their sum, so that a digit is complete when q is made of it. A row of 40 digits has 12 to 20 multiply-adds, 16
// in the mean, and takes 17 cycles. A product of 2048, 3072 or 4096 bits takes 0.26, 0.61 or 0.93 µs, a square 0.19, 0.46 or 0.72.
//
// # Carries
//
// Lanes hold at most 4 · 80 products of 52 bits, less than 2^61, and are carried to 52 bits at the end. One parallel pass of carries
// leaves at most single carries to run further; on random values that happens once in about 2^38 multiplications, so it is a
// branch to a plain loop over the digits. The tests drive values through that loop.
//
// Tried without gain, in rows of products: unrolling two of them; taking q's latency away altogether. Tried with less gain: squares in
// the order of products, whose rows leave out the registers below that of their digit (9 to 13 % of a verification).
//
// # Encode and compare
//
// No padding is parsed. The encoded message that the digest must have is built, and compared as a whole with s^e mod n. The IFMA kernel
// compares residues instead for RSASSA-PKCS1-v1_5 and e = 65537: both sides times R^-65536, which saves the multiplication into the domain
// and the conversion of the result, 7 %, and costs a new key 90 µs; see residues. For PSS the salt has to be
// taken out first; it lies at a fixed place, since its length is that of the hash.
//
// None of this is inside Go's FIPS 140-3 module: in that mode the caller has to use crypto/rsa.
package rsapub
