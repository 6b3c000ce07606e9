package templates

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed pages style.css logo.svg texts.en.json texts.zh.json
var embedded embed.FS

// layers are the embedded files and, over them, the operator's.
type layers struct {
	dir   string
	files map[string][]byte // the overlay's, by slash path
}

// open reads the whole overlay at once. A file that nothing uses is an error:
// it is a misspelt name more often than a note.
func open(dir string) (layers, error) {
	l := layers{dir: dir, files: map[string][]byte{}}
	if dir == "" {
		return l, nil
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return l.take(path, d)
	})
	if err != nil {
		return layers{}, fmt.Errorf("templates: overlay: %w", err)
	}
	return l, nil
}

// take reads one entry. Hidden ones are left alone: editors and mounted
// volumes keep such.
func (l layers) take(path string, d fs.DirEntry) error {
	hidden := path != l.dir && strings.HasPrefix(d.Name(), ".")
	switch {
	case hidden && d.IsDir():
		return filepath.SkipDir
	case hidden || d.IsDir():
		return nil
	}
	name, err := filepath.Rel(l.dir, path)
	if err != nil {
		return err
	}
	name = filepath.ToSlash(name)
	if !slices.Contains(replaceable(), name) {
		return fmt.Errorf("%s: no such file is used; there may be %s", path, strings.Join(replaceable(), ", "))
	}
	l.files[name], err = os.ReadFile(path)
	return err
}

// replaceable are the files that an overlay may hold.
func replaceable() []string {
	all := []string{"favicon.svg"}
	for _, pattern := range []string{"*.*", "pages/*"} {
		names, _ := fs.Glob(embedded, pattern) // fails only on a malformed pattern
		all = append(all, names...)
	}
	return all
}

// own is an embedded file.
func (l layers) own(name string) []byte {
	data, err := embedded.ReadFile(name)
	if err != nil {
		panic(err) // the compiler embedded it
	}
	return data
}

// overlay is the operator's file and its path for messages.
func (l layers) overlay(name string) ([]byte, string, error) {
	path := filepath.Join(l.dir, filepath.FromSlash(name))
	data, ok := l.files[name]
	if !ok {
		return nil, path, fs.ErrNotExist
	}
	return data, path, nil
}

// either is the operator's file, or what stands in for it.
func (l layers) either(name string, otherwise []byte) []byte {
	if data, ok := l.files[name]; ok {
		return data
	}
	return otherwise
}

// pageNames are all pages; views name theirs.
func pageNames() (all []string) {
	files, _ := fs.Glob(embedded, "pages/*.html") // fails only on a malformed pattern
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "pages/"), ".html")
		if name != "layout" && name != "parts" {
			all = append(all, name)
		}
	}
	return all
}

// parse makes the templates of every page in every language. A template is
// named after its file, for messages to name it too.
func parse(files layers, languages []speech) (map[string]map[string]*template.Template, error) {
	pages := map[string]map[string]*template.Template{}
	for _, l := range languages {
		pages[l.Code] = map[string]*template.Template{}
		for _, name := range pageNames() {
			t, err := parsePage(files, l, name)
			if err != nil {
				return nil, fmt.Errorf("templates: %w", err)
			}
			pages[l.Code][name] = t
		}
	}
	return pages, nil
}

func parsePage(files layers, l speech, name string) (*template.Template, error) {
	root := template.New("").Funcs(l.funcs()).Option("missingkey=error")
	var layout *template.Template
	for _, file := range []string{"pages/parts.html", "pages/" + name + ".html", "pages/layout.html"} {
		data, path, err := files.overlay(file)
		if errors.Is(err, fs.ErrNotExist) {
			data, path = files.own(file), file
		}
		if layout, err = root.New(path).Parse(string(data)); err != nil {
			return nil, err
		}
	}
	return layout, nil
}

// funcs are the functions that templates may call, bound to the language.
func (l speech) funcs() template.FuncMap {
	funcs := template.FuncMap{"t": l.texts.html, "qr": qrCode}
	maps.Copy(funcs, l.formats())
	return funcs
}
