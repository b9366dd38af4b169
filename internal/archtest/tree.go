package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is the module's path, with the slash that follows it in imports.
const module = "tandem/"

// tree is the module's syntax.
type tree struct {
	fset *token.FileSet
	pkgs []*pkg // by directory, which also orders them
}

// pkg is the Go files of one directory, tests included.
type pkg struct {
	dir   string // slash-separated, from the module's root
	files []*file
}

// file is one Go file.
type file struct {
	path    string
	test    bool // by its name
	source  []byte
	syntax  *ast.File
	imports map[string]string // path by the name it has in this file
}

// load parses every Go file below fsys that the go command would build, for
// whatever system.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	byDir := make(map[string]*pkg)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		hidden := name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_"))
		if d.IsDir() {
			if hidden || base == "testdata" || base == "vendor" {
				return fs.SkipDir
			}
			return nil
		}
		if hidden || path.Ext(name) != ".go" {
			return nil
		}
		f, err := t.parse(fsys, name)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if byDir[dir] == nil {
			byDir[dir] = &pkg{dir: dir}
		}
		byDir[dir].files = append(byDir[dir].files, f)
		return nil
	})
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		t.pkgs = append(t.pkgs, byDir[dir])
	}
	return t, err
}

func (t *tree) parse(fsys fs.FS, name string) (*file, error) {
	source, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	syntax, err := parser.ParseFile(t.fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &file{path: name, test: strings.HasSuffix(name, "_test.go"), source: source, syntax: syntax}
	f.imports = make(map[string]string)
	for _, spec := range syntax.Imports {
		p := importPath(spec)
		local := packageName(p)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		f.imports[local] = p
	}
	return f, nil
}

func importPath(spec *ast.ImportSpec) string {
	p, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
	return p
}

// packageName guesses a package's name from its path, past a version.
func packageName(p string) string {
	base := path.Base(p)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(p))
	}
	return base
}

// code returns the files of p that are not tests.
func (p *pkg) code() []*file {
	return slices.DeleteFunc(slices.Clone(p.files), func(f *file) bool { return f.test })
}

// first returns the file that stands for p: the first that is not a test, if
// there is one.
func (p *pkg) first() *file {
	if code := p.code(); len(code) > 0 {
		return code[0]
	}
	return p.files[0]
}

// name returns the package's name, without _test.
func (p *pkg) name() string { return strings.TrimSuffix(p.first().syntax.Name.Name, "_test") }

// suite reports whether p is a contract's test suite: code that only tests use.
func (p *pkg) suite() bool { return strings.HasSuffix(p.dir, "test") && p.room() != "archtest" }

// imported yields what f imports.
func (f *file) imported(yield func(at token.Pos, importPath string) bool) {
	for _, spec := range f.syntax.Imports {
		if !yield(spec.Pos(), importPath(spec)) {
			return
		}
	}
}

// use is a mention of something that another package exports, as in time.Now.
type use struct {
	pkg  string // path
	name string
}

// uses yields the mentions in f of what other packages export.
func (f *file) uses(yield func(at token.Pos, u use) bool) {
	stop := false
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok || stop {
			return !stop
		}
		if x, ok := s.X.(*ast.Ident); ok {
			if p := f.imports[x.Name]; p != "" {
				stop = !yield(s.Pos(), use{p, s.Sel.Name})
			}
		}
		return !stop
	})
}

// String returns u as code spells it.
func (u use) String() string { return packageName(u.pkg) + "." + u.name }
