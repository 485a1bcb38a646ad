package verify_test

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// secretName matches the names under which secret material, or what is compared
// with it, goes by in this package.
var secretName = regexp.MustCompile(`(?i)secret|token|digest|mac|sum|signature|sigs?\b|presented|key|value|first|more`)

// comparers are functions that compare in variable time.
var comparers = regexp.MustCompile(`^(bytes\.(Equal|Compare|EqualFold|HasPrefix|HasSuffix|Contains|Index)|` +
	`strings\.(EqualFold|Compare|Contains|Index)|slices\.(Equal|Compare|Contains|Index)|reflect\.DeepEqual|hmac\.Equal|subtle\.ConstantTimeCompare)$`)

// harmless are the constants that a presented value may be compared with.
var harmless = []string{"", "Bearer", "http", "https"}

// allowed are the functions in which a comparison is as it should be.
var allowed = map[string]string{
	"equalDigests": "the one comparison",
	"check":        "compares a configured secret with itself trimmed, at start-up only",
}

// TestV06ComparisonsInOnePlace reads the package's source: secret material is
// compared by equalDigests and by nothing else.
func TestV06ComparisonsInOnePlace(t *testing.T) {
	fset := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	found, compared := secretComparisons(t, fset, importer.ForCompiler(fset, "source", nil), files)
	for _, f := range found {
		t.Error(f)
	}
	if compared != 1 {
		t.Errorf("subtle.ConstantTimeCompare is called %d times, want once, in equalDigests", compared)
	}
}

// The check itself must be able to fail.
func TestV06CheckFindsEachForm(t *testing.T) {
	for name, body := range map[string]string{
		"equal operator":        `return secret == presented`,
		"unequal operator":      `return secret != presented`,
		"field":                 `return s.mac == presented`,
		"converted":             `return string(mac) == presented`,
		"part":                  `return secret[:2] == presented[:2]`,
		"array":                 `return digest == other`,
		"switch":                `switch presented { case secret: return true }; return false`,
		"map key":               `return known[presented]`,
		"bytes.Equal":           `return bytes.Equal(mac, []byte(presented))`,
		"strings.EqualFold":     `return strings.EqualFold(secret, presented)`,
		"slices.Equal":          `return slices.Equal(mac, mac)`,
		"a second constant":     `return presented == "hunter2"`,
		"a second subtle place": `return subtle.ConstantTimeCompare(mac, mac) == 1`,
	} {
		t.Run(name, func(t *testing.T) {
			source := `package p
import ("bytes"; "strings"; "slices"; "crypto/subtle")
var _, _, _, _ = bytes.Equal, strings.EqualFold, slices.Equal[[]byte], subtle.ConstantTimeCompare
type state struct { mac string }
func f(secret, presented string, mac []byte, digest, other [32]byte, s state, known map[string]bool) bool { ` + body + ` }`
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, "p.go", source, 0)
			if err != nil {
				t.Fatal(err)
			}
			if found, _ := secretComparisons(t, fset, importer.Default(), []*ast.File{file}); len(found) != 1 {
				t.Errorf("found %d comparisons, want 1: %v", len(found), found)
			}
		})
	}
}

// secretComparisons lists the comparisons of secret material outside the allowed
// functions, and counts the calls of subtle.ConstantTimeCompare.
func secretComparisons(t *testing.T, fset *token.FileSet, imports types.Importer, files []*ast.File) (found []string, compared int) {
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	config := types.Config{Importer: imports}
	if _, err := config.Check("p", fset, files, info); err != nil {
		t.Fatal(err)
	}
	secret := func(e ast.Expr) bool {
		name := types.ExprString(e)
		return holdsText(info.TypeOf(e)) && secretName.MatchString(name) && !strings.HasSuffix(name, "Header") // a header's name is no secret
	}
	flag := func(n ast.Node, form string) {
		found = append(found, fmt.Sprintf("%s: secret material in %s", fset.Position(n.Pos()), form))
	}
	inspect := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if isComparison(n.Op) && (secret(n.X) || secret(n.Y)) && !isHarmless(info, n.X) && !isHarmless(info, n.Y) {
				flag(n, n.Op.String())
			}
		case *ast.SwitchStmt:
			if n.Tag != nil && secret(n.Tag) {
				flag(n, "switch")
			}
		case *ast.IndexExpr:
			if _, ok := info.TypeOf(n.X).Underlying().(*types.Map); ok && secret(n.Index) {
				flag(n, "a map key")
			}
		case *ast.CallExpr:
			name := types.ExprString(n.Fun)
			if name == "subtle.ConstantTimeCompare" {
				compared++
			}
			if comparers.MatchString(name) && slices.ContainsFunc(n.Args, secret) &&
				!slices.ContainsFunc(n.Args, func(e ast.Expr) bool { return isHarmless(info, e) }) {
				flag(n, name)
			}
		}
		return true
	}
	for _, file := range files {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && allowed[f.Name.Name] != "" {
				ast.Inspect(f, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok && types.ExprString(call.Fun) == "subtle.ConstantTimeCompare" {
						compared++
					}
					return true
				})
				continue
			}
			ast.Inspect(decl, inspect)
		}
	}
	return found, compared
}

func isComparison(op token.Token) bool {
	return slices.Contains([]token.Token{token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ}, op)
}

// holdsText tells whether a value of the type can hold a secret: a string, bytes,
// or an array of bytes.
func holdsText(typ types.Type) bool {
	if typ == nil {
		return false
	}
	isByte := func(t types.Type) bool {
		b, ok := t.Underlying().(*types.Basic)
		return ok && b.Kind() == types.Byte
	}
	switch u := typ.Underlying().(type) {
	case *types.Basic:
		return u.Info()&types.IsString != 0
	case *types.Slice:
		return isByte(u.Elem())
	case *types.Array:
		return isByte(u.Elem())
	}
	return false
}

func isHarmless(info *types.Info, e ast.Expr) bool {
	tv := info.Types[e]
	if tv.IsNil() {
		return true
	}
	return tv.Value != nil && tv.Value.Kind() == constant.String && slices.Contains(harmless, constant.StringVal(tv.Value))
}
