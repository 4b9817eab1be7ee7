package ffi

import (
	"encoding/json"
	"os"
	"testing"
)

// What this compiler lays out, and the constants, are what a C compiler found in kvc.h.
func TestLayoutIsThatOfC(t *testing.T) {
	path := os.Getenv("KVC_LAYOUT")
	if path == "" {
		path = "../../../../tests/abi/layout.json"
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skip(err)
	}
	var golden struct {
		Structs map[string]struct {
			Size   uintptr
			Fields map[string]struct{ Offset, Size uintptr }
		}
		Constants map[string]int64
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	found := Layouts()
	for name, want := range golden.Structs {
		here := found[name]
		if here.Size != want.Size || len(here.Fields) != len(want.Fields) {
			t.Errorf("%s: %d bytes and %d fields, in C %d and %d", name, here.Size, len(here.Fields), want.Size, len(want.Fields))
		}
		for field, place := range want.Fields {
			if here.Fields[field] != Place(place) {
				t.Errorf("%s.%s: %v, in C %v", name, field, here.Fields[field], place)
			}
		}
	}
	for name, value := range golden.Constants {
		if here, ok := Constants[name]; !ok || here != value {
			t.Errorf("%s: %d, in C %d", name, here, value)
		}
	}
	if len(golden.Structs) < 20 || len(golden.Constants) < 90 {
		t.Error("the golden file is not whole")
	}
}
