package ecpub

import (
	"encoding/hex"
	"fmt"
	"slices"
)

// answers are a known signature and a known key for each curve.
//
// point, digest and sig are RFC 6979, A.2.5 to A.2.7: message "sample", hash as long as the curve. wrapPoint is a key made so
// that r = wrapR, s = 0x5a11 is a signature of digest whose x coordinate is r + n.
var answers = [...]struct {
	point, digest, sig string
	wrapPoint          string
	wrapR              byte
}{
	P256: {
		point: "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6" +
			"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
		digest: "af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf",
		sig: "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" +
			"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
		wrapPoint: "042bc3ce6a984195e0837e5f8eed37eb94e407bf40d39ece54c4027cccd29994ea" +
			"10eb45581e6d6c6726e0bd18c6527f07a0fe20c3f3063e4df4f302e9c5505658",
		wrapR: 3,
	},
	P384: {
		point: "04ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13" +
			"8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720",
		digest: "9a9083505bc92276aec4be312696ef7bf3bf603f4bbd381196a029f340585312313bca4a9b5b890efee42c77b1ee25fe",
		sig: "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46" +
			"99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8",
		wrapPoint: "04d4421ccdbac55bd895f967d12dae6ed83de3fb6150d4f78311aa94b0d2714979ff1988f6bddad3c0ecbb32a392239008" +
			"9788f7affaf1e8803b9a3caffb978414a3d70f219fb27ece77f3020d90f1b32a0c905aaf9edd4aceb2ca881255267952",
		wrapR: 2,
	},
	P521: {
		point: "0401894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd371123d46e45db6b5d5370a7f20fb633155d38ffa16d2bd761" +
			"dcac474b9a2f5023a400493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a28a0db25741b5b34a828008b22acc2" +
			"3f924faafbd4d33f81ea66956dfeaa2bfdfcf5",
		digest: "39a5e04aaff7455d9850c605364f514c11324ce64016960d23d5dc57d3ffd8f49a739468ab8049bf18eef820cdb1ad6c9015f838556bc7fa" +
			"d4138b23fdf986c7",
		sig: "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f174e25a1ee9017b5d450606add152b534931d7d4e8455cc9" +
			"1f9b15bf05ec36e377fa00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af282623eaa63e5b5c0723d8b8c37f" +
			"f0777b1a20f8ccb1dccc43997f1ee0e44da4a67a",
		wrapPoint: "0400055760356ddb503808c4f871b496835e8938d748c3d3b71b3c16b95d51b9025fee50d510927b205aaf339ecda36d41213c7f37ea51d5" +
			"67eedf04a2b40133962123007e168ba7fe7f7319d376700512e3704d54d1af08d4f9e2c00005c2ef18c0f84b7d4e823c8caef9520975f0ed" +
			"4ba3ae0613312733f4414f2aee5741f2d84c5eb4be",
		wrapR: 1,
	},
}

// selfTestWidth keeps the tables of SelfTest small.
const selfTestWidth = 5

// SelfTest checks kernel k of curve c against known answers: two signatures that are valid, and many that are not. An error
// means that the kernel must not be used. It takes some milliseconds, and more if the table of G is not built yet.
func SelfTest(c Curve, k Kernel) error {
	if !Supported(c, k) {
		return fmt.Errorf("ecpub: kernel %s for %s is not supported here", k, c)
	}
	a := &answers[c]
	point, _ := hex.DecodeString(a.point)
	digest, _ := hex.DecodeString(a.digest)
	sig, _ := hex.DecodeString(a.sig)
	size := curves[c].size
	key, err := NewPublicKeyWidth(c, point, k, selfTestWidth)
	if err != nil {
		return err
	}
	test := func(what string, digest, sig []byte, want bool) {
		if ok, decided := key.VerifyVarTime(digest, sig); err == nil && (!decided || ok != want) {
			err = fmt.Errorf("ecpub: self-test of %s, kernel %s: %s: got (%v, %v), want (%v, true)", c, k, what, ok, decided, want)
		}
	}
	test("valid signature", digest, sig, true)
	test("valid signature, short digest", digest[:size/2], sig, false)
	for bit := 0; bit < 8*len(sig); bit += len(sig)*8/7 - 1 {
		bad := slices.Clone(sig)
		bad[bit/8] ^= 1 << (bit % 8)
		test("altered signature", digest, bad, false)
	}
	for bit := 0; bit < 8*len(digest); bit += len(digest)*8/3 - 1 {
		bad := slices.Clone(digest)
		bad[bit/8] ^= 1 << (bit % 8)
		test("altered digest", bad, sig, false)
	}
	n := curves[c].std.Params().N.FillBytes(make([]byte, size))
	zero := make([]byte, size)
	test("r = 0", digest, slices.Concat(zero, sig[size:]), false)
	test("s = 0", digest, slices.Concat(sig[:size], zero), false)
	test("r = s = 0", digest, slices.Concat(zero, zero), false)
	test("r = n", digest, slices.Concat(n, sig[size:]), false)
	test("s = n", digest, slices.Concat(sig[:size], n), false)
	test("short signature", digest, sig[1:], false)
	if err != nil {
		return err
	}

	wrapPoint, _ := hex.DecodeString(a.wrapPoint)
	if key, err = NewPublicKeyWidth(c, wrapPoint, k, selfTestWidth); err != nil {
		return err
	}
	sig = make([]byte, 2*size)
	sig[size-1], sig[2*size-2], sig[2*size-1] = a.wrapR, 0x5a, 0x11
	test("x = r + n", digest, sig, true)
	sig[size-1]++
	test("x = r + n, other r", digest, sig, false)
	return err
}
