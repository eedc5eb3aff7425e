package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// maxSecret bounds a file that holds a secret, in bytes.
const maxSecret = 1 << 20

// ReadSecret reads a file that holds a secret: a regular file, or a link to one, of this user or root, that nobody but its owner
// may read or change. The checks are made on what was opened.
func ReadSecret(path string) ([]byte, error) {
	return readFile(path, maxSecret, checkSecret)
}

// readFile reads a regular file of at most limit bytes that check, where it is not nil, agrees to. It never waits for a FIFO or
// a device.
func readFile(path string, limit int64, check func(string, fs.FileInfo) error) ([]byte, error) {
	// O_NONBLOCK makes opening a FIFO return; on a regular file it means nothing.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkRegular(path, info); err != nil {
		return nil, err
	}
	if check != nil {
		if err := check(path, info); err != nil {
			return nil, err
		}
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

func checkRegular(path string, info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return fmt.Errorf("%s is a directory", path)
	}
	return fmt.Errorf("%s is not a regular file", path)
}

// checkSecret refuses what others than its owner can reach, and an owner that is not this user.
func checkSecret(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s can be read by others (mode %04o): chmod 600 it", path, mode)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return checkOwner(path, int(st.Uid), os.Geteuid())
	}
	return nil
}

// checkOwner takes me and root for owners. Root itself takes anybody: it may run check for the user that serves.
func checkOwner(path string, owner, me int) error {
	if me != 0 && owner != 0 && owner != me {
		return fmt.Errorf("%s belongs to user %d, who can read it: chown it to user %d, who runs this", path, owner, me)
	}
	return nil
}

// file checks that the file at path can be looked at, and reports whether it is there to be checked further.
func (v *validator) file(path, name string) (fs.FileInfo, bool) {
	if name == "" || v.files == nil {
		return nil, false
	}
	info, err := v.files.Stat(name)
	if err == nil {
		err = checkRegular(name, info)
	} else if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		shown := name
		if dir := filepath.Dir(v.binder.file); !fileName.MatchString(strings.TrimPrefix(name, dir+"/")) {
			// It may be a key or a secret that stands where the name of its file should.
			shown = "the file (a relative path starts at " + dir + ")"
		}
		err = fmt.Errorf("cannot look at %s: %w", shown, pe.Err)
	}
	if err != nil {
		v.fault(path, "%v", err)
	}
	return info, err == nil
}

// fileName matches a path that nobody takes for a key or a secret: short names in lower case, the last with an extension.
var fileName = regexp.MustCompile(`^/?([a-z0-9._-]{1,24}/)*[a-z0-9_-]{1,24}\.[a-z]{2,8}$`)

// secret is file for what others must not read. Of a certificate its place is wrong, not its mode.
func (v *validator) secret(path, name string) {
	info, ok := v.file(path, name)
	if !ok {
		return
	}
	if err := checkSecret(name, info); err != nil {
		if data, rerr := v.files.Read(name); rerr == nil && bytes.Contains(data, beginCertificate) && !bytes.Contains(data, privateKey) {
			err = fmt.Errorf("%s holds a certificate and no key: are two files swapped?", name)
		}
		v.fault(path, "%v", err)
	}
}

var beginCertificate, privateKey = []byte("-----BEGIN CERTIFICATE-----"), []byte("PRIVATE KEY-----")
