package h1

import "testing"

// After a fault in a body nothing more is read from it: what follows has no meaning.
func TestBodyFaultStays(t *testing.T) {
	ep := listen(t, func(p *peer) {
		if p.request() {
			p.send(chunkedResponse("x\r\n2\r\nok\r\n0\r\n\r\n"))
			p.drain()
		}
	})
	c := testClient(t, ep.addr, nil)
	ex := get()
	if err := c.Do(ex); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	for i := range 3 {
		if n, err := ex.Read(buf); n != 0 || err != ErrResponse {
			t.Errorf("Read %d behind a bad chunk = %q, %v; want %v", i, buf[:n], err, ErrResponse)
		}
	}
	ex.Close()
	if n := c.idleConns(); n != 0 {
		t.Errorf("the connection was kept")
	}
}

