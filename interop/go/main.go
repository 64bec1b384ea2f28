// Holds iceberg-go's client of REST catalogs against a running Moraine: one line for each check.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/apache/iceberg-go/catalog/rest"
	"github.com/apache/iceberg-go/table"
)

// A check's own namespace, and what it talks to.
type place struct {
	ctx       context.Context
	cat       *rest.Catalog
	namespace string
	// Address of the service.
	url string
	// A folder from which files may be registered.
	data string
}

type check struct {
	name string
	run  func(place) error
}

func main() {
	url := os.Getenv("MORAINE_URL")
	ctx := context.Background()
	cat, err := rest.NewCatalog(ctx, "moraine", url+"/iceberg")
	if err != nil {
		fmt.Printf("failed connects: %s\n", oneLine(err))
		os.Exit(1)
	}
	checks := [][]check{catalogChecks, rowChecks, changeChecks, deleteChecks, refChecks, viewChecks}
	n := 0
	for _, group := range checks {
		for _, each := range group {
			n++
			p := place{ctx, cat, fmt.Sprintf("go_%d", n), url, os.Getenv("MORAINE_DATA")}
			if err := p.hold(each); err != nil {
				fmt.Printf("failed %s: %s\n", each.name, oneLine(err))
			} else {
				fmt.Printf("passed %s\n", each.name)
			}
		}
	}
}

func (p place) hold(each check) (err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			err = fmt.Errorf("panics: %v %s", trouble, debug.Stack())
		}
	}()
	if err := p.cat.CreateNamespace(p.ctx, table.Identifier{p.namespace}, nil); err != nil {
		return err
	}
	return each.run(p)
}

func (p place) name(table string) []string { return []string{p.namespace, table} }

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
