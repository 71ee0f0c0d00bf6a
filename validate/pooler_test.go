package validate

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// startPooler listens on an address of its own, passes every connection on to the
// server of uri, and tells clients another process id than the server does, as
// poolers do.
func startPooler(t *testing.T, uri string) (address string) {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed below
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { pool(t, client, u.Host) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return listener.Addr().String()
}

// pool carries one connection until either side closes it.
func pool(t *testing.T, client net.Conn, address string) {
	t.Helper()
	server, err := net.Dial("tcp", address) //nolint:noctx // closed below
	if err != nil {
		t.Error(err)
		_ = client.Close()
		return
	}
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	_ = disguise(client, server)
	_ = client.Close()
	up.Wait()
}

// disguise copies the server's messages and changes the process id in BackendKeyData.
func disguise(client io.Writer, server io.Reader) error {
	r := bufio.NewReader(server)
	for {
		header := make([]byte, 5)
		if _, err := io.ReadFull(r, header); err != nil {
			return err
		}
		body := make([]byte, binary.BigEndian.Uint32(header[1:])-4)
		if _, err := io.ReadFull(r, body); err != nil {
			return err
		}
		if header[0] == 'K' {
			binary.BigEndian.PutUint32(body, binary.BigEndian.Uint32(body)^1<<30)
		}
		if _, err := client.Write(append(header, body...)); err != nil {
			return err
		}
	}
}

func through(t *testing.T, uri, address string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = address
	return u.String()
}
