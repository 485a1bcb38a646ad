package adaptertest_test

import (
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An adapter is small: what is common stands in verify and in adapters/internal.
const (
	maxNames = 6  // exported, top-level
	maxLines = 60 // but for comments, imports and blank lines
)

func TestAdaptersAreSmall(t *testing.T) {
	dirs, err := filepath.Glob("../../verify*")
	if err != nil || len(dirs) < 4 {
		t.Fatalf("adapters %v, %v", dirs, err)
	}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		lines := 0
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			exported, code := measure(t, source)
			names = append(names, exported...)
			lines += code
		}
		t.Logf("%s: %d lines, exported %v", filepath.Base(dir), lines, names)
		if len(names) == 0 || len(names) > maxNames {
			t.Errorf("%s exports %v, at most %d are allowed", dir, names, maxNames)
		}
		if lines == 0 || lines > maxLines {
			t.Errorf("%s has %d lines of code, at most %d are allowed", dir, lines, maxLines)
		}
	}
}

// measure gives the exported top-level names of a file, and how many of its lines
// hold code beyond the package clause and the imports.
func measure(t *testing.T, source []byte) (exported []string, lines int) {
	t.Helper()
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, "", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	begin := files.Position(parsed.Name.End()).Line
	for _, decl := range parsed.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.IsExported() {
				exported = append(exported, d.Name.Name)
			}
		case *ast.GenDecl:
			if d.Tok == token.IMPORT {
				begin = files.Position(d.End()).Line
			}
			for _, spec := range d.Specs {
				for _, name := range declared(spec) {
					if name.IsExported() {
						exported = append(exported, name.Name)
					}
				}
			}
		}
	}
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(source))
	s.Init(file, source, nil, 0) // without comments
	seen := map[int]bool{}
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return exported, len(seen)
		}
		// A raw string counts with all its lines, the semicolon at a line's end with none.
		for line, n := file.Line(pos), strings.Count(text, "\n"); tok != token.SEMICOLON && n >= 0; n-- {
			if line+n > begin {
				seen[line+n] = true
			}
		}
	}
}

func declared(spec ast.Spec) []*ast.Ident {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		return []*ast.Ident{s.Name}
	case *ast.ValueSpec:
		return s.Names
	}
	return nil
}
