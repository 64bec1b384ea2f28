package main

import (
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
)

var catalogChecks = []check{
	{"a namespace is made once, found, changed and dropped when it is empty", namespaces},
	{"a namespace below another is listed there", nested},
	{"tables are listed in pages", listsPages},
	{"a table is made once, found, and dropped for good", makesTables},
	{"a table is renamed, and not onto another", renames},
	{"names with spaces, dots and accents are names", oddNames("Mixed Case é", "a.b", "a=b&c")},
	{"names with percent signs, plus signs and slashes are names", oddNames("100%", "a+b", "a/b")},
	{"every type, transform and order is what it was when it was made", everyType},
	{"a table that was dropped is registered again", registers},
	{"a table is purged", purges},
	{"eight writers at once lose nothing", races},
	{"two tables are changed by one transaction, or neither", transactions},
}

func namespaces(p place) error {
	name := table.Identifier{p.namespace + "_more"}
	if err := p.cat.CreateNamespace(p.ctx, name, iceberg.Properties{"owner": "go", "kept": "é"}); err != nil {
		return err
	}
	if err := refused(p.cat.CreateNamespace(p.ctx, name, nil), catalog.ErrNamespaceAlreadyExists); err != nil {
		return err
	}
	summary, err := p.cat.UpdateNamespaceProperties(p.ctx, name, []string{"owner", "never"}, iceberg.Properties{"new": "1"})
	if err != nil {
		return err
	}
	wanted := catalog.PropertiesUpdateSummary{Removed: []string{"owner"}, Updated: []string{"new"}, Missing: []string{"never"}}
	if err := same(summary, wanted); err != nil {
		return err
	}
	properties, err := p.cat.LoadNamespaceProperties(p.ctx, name)
	if err != nil {
		return err
	}
	if err := same(properties, iceberg.Properties{"kept": "é", "new": "1"}); err != nil {
		return err
	}
	inside := append(append([]string{}, name...), "t")
	if _, err := p.cat.CreateTable(p.ctx, inside, fields); err != nil {
		return err
	}
	return inTurn(
		func() error { return refused(p.cat.DropNamespace(p.ctx, name), catalog.ErrNamespaceNotEmpty) },
		func() error { return p.cat.DropTable(p.ctx, inside) },
		func() error { return p.cat.DropNamespace(p.ctx, name) },
		func() error { return refused(p.cat.DropNamespace(p.ctx, name), catalog.ErrNoSuchNamespace) },
		func() error { return p.isThere(name, false) },
	)
}

func (p place) isThere(namespace table.Identifier, wanted bool) error {
	found, err := p.cat.CheckNamespaceExists(p.ctx, namespace)
	if err != nil {
		return err
	}
	return same(found, wanted)
}

func nested(p place) error {
	parent := table.Identifier{p.namespace}
	child := table.Identifier{p.namespace, "child"}
	if err := p.cat.CreateNamespace(p.ctx, child, nil); err != nil {
		return err
	}
	found, err := p.cat.ListNamespaces(p.ctx, parent)
	if err != nil {
		return err
	}
	if err := same(found, []table.Identifier{child}); err != nil {
		return err
	}
	return p.isThere(child, true)
}

func listsPages(p place) error {
	wanted := []string{}
	for i := range 7 {
		name := fmt.Sprintf("t%d", i)
		if _, err := p.makeTable(name, nil); err != nil {
			return err
		}
		wanted = append(wanted, name)
	}
	found := []string{}
	for each, err := range p.cat.ListTables(p.cat.SetPageSize(p.ctx, 3), table.Identifier{p.namespace}) {
		if err != nil {
			return err
		}
		found = append(found, each[len(each)-1])
	}
	sort.Strings(found)
	return same(found, wanted)
}

func makesTables(p place) error {
	if _, err := p.makeTable("made", nil, catalog.WithProperties(iceberg.Properties{"a": "b"})); err != nil {
		return err
	}
	_, again := p.makeTable("made", nil)
	if err := refused(again, catalog.ErrTableAlreadyExists); err != nil {
		return err
	}
	loaded, err := p.load("made")
	if err != nil {
		return err
	}
	if err := same(loaded.Properties()["a"], "b"); err != nil {
		return err
	}
	if err := p.cat.DropTable(p.ctx, p.name("made")); err != nil {
		return err
	}
	_, gone := p.load("made")
	if err := refused(gone, catalog.ErrNoSuchTable); err != nil {
		return err
	}
	found, err := p.cat.CheckTableExists(p.ctx, p.name("made"))
	if err != nil {
		return err
	}
	return same(found, false)
}

func renames(p place) error {
	for _, name := range []string{"one", "other"} {
		if _, err := p.makeTable(name, [][]int64{{1}}); err != nil {
			return err
		}
	}
	if _, err := p.cat.RenameTable(p.ctx, p.name("one"), p.name("other")); err == nil {
		return fmt.Errorf("renamed onto another")
	}
	renamed, err := p.cat.RenameTable(p.ctx, p.name("one"), p.name("new"))
	if err != nil {
		return err
	}
	if _, err := appendRows(p.ctx, renamed, 2); err != nil {
		return err
	}
	_, gone := p.load("one")
	return inTurn(
		func() error { return refused(gone, catalog.ErrNoSuchTable) },
		func() error { return p.hasIDs("new", []int64{1, 2}) },
		func() error { return p.hasIDs("other", []int64{1}) },
	)
}

func oddNames(names ...string) func(place) error {
	return func(p place) error {
		for _, name := range names {
			if _, err := p.makeTable(name, [][]int64{{1}}); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if err := p.hasIDs(name, []int64{1}); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
}

func everyType(p place) error {
	types := []iceberg.Type{
		iceberg.PrimitiveTypes.Bool, iceberg.PrimitiveTypes.Int32, iceberg.PrimitiveTypes.Int64,
		iceberg.PrimitiveTypes.Float32, iceberg.PrimitiveTypes.Float64, iceberg.DecimalTypeOf(20, 3),
		iceberg.PrimitiveTypes.Date, iceberg.PrimitiveTypes.Time, iceberg.PrimitiveTypes.Timestamp,
		iceberg.PrimitiveTypes.TimestampTz, iceberg.PrimitiveTypes.String, iceberg.PrimitiveTypes.UUID,
		iceberg.FixedTypeOf(5), iceberg.PrimitiveTypes.Binary,
		&iceberg.ListType{ElementID: 101, Element: iceberg.PrimitiveTypes.String},
		&iceberg.MapType{KeyID: 102, KeyType: iceberg.PrimitiveTypes.String, ValueID: 103, ValueType: iceberg.PrimitiveTypes.Int64},
		&iceberg.StructType{FieldList: []iceberg.NestedField{{ID: 104, Name: "x", Type: iceberg.PrimitiveTypes.Date, Required: true}}},
	}
	all := []iceberg.NestedField{}
	for i, each := range types {
		all = append(all, iceberg.NestedField{ID: i + 1, Name: fmt.Sprintf("c%d", i+1), Type: each, Doc: "é", Required: i == 1})
	}
	schema := iceberg.NewSchemaWithIdentifiers(0, []int{2}, all...)
	spec, err := iceberg.NewPartitionSpecOpts(
		iceberg.AddPartitionFieldBySourceID(1, "one", iceberg.IdentityTransform{}, schema, nil),
		iceberg.AddPartitionFieldBySourceID(3, "three", iceberg.BucketTransform{NumBuckets: 16}, schema, nil),
		iceberg.AddPartitionFieldBySourceID(7, "seven", iceberg.YearTransform{}, schema, nil),
		iceberg.AddPartitionFieldBySourceID(9, "nine", iceberg.HourTransform{}, schema, nil),
		iceberg.AddPartitionFieldBySourceID(11, "eleven", iceberg.TruncateTransform{Width: 4}, schema, nil),
	)
	if err != nil {
		return err
	}
	order, err := table.NewSortOrder(1, []table.SortField{
		{SourceIDs: []int{3}, Transform: iceberg.IdentityTransform{}, Direction: table.SortDESC, NullOrder: table.NullsLast},
	})
	if err != nil {
		return err
	}
	_, err = p.cat.CreateTable(p.ctx, p.name("all"), schema, catalog.WithPartitionSpec(&spec), catalog.WithSortOrder(order))
	if err != nil {
		return err
	}
	loaded, err := p.load("all")
	if err != nil {
		return err
	}
	names := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	found := []string{}
	for _, field := range loaded.Schema().Fields() {
		found = append(found, names(field.Type.String()))
	}
	if len(found) != len(types) || found[5] != "decimal(20, 3)" {
		return fmt.Errorf("types %v", found)
	}
	transforms := []string{}
	made := loaded.Spec()
	for _, field := range made.Fields() {
		transforms = append(transforms, field.Name+" "+field.Transform.String())
	}
	return inTurn(
		func() error {
			return same(transforms, []string{"one identity", "three bucket[16]", "seven year", "nine hour", "eleven truncate[4]"})
		},
		func() error { return same(loaded.Schema().IdentifierFieldIDs, []int{2}) },
		func() error { return same(string(loaded.SortOrder().Field(0).Direction), "desc") },
	)
}

func registers(p place) error {
	made, err := p.makeTable("one", [][]int64{{1, 2}})
	if err != nil {
		return err
	}
	if err := p.cat.DropTable(p.ctx, p.name("one")); err != nil {
		return err
	}
	registered, err := p.cat.RegisterTable(p.ctx, p.name("again"), made.MetadataLocation())
	if err != nil {
		return err
	}
	if _, err := appendRows(p.ctx, registered, 3); err != nil {
		return err
	}
	return p.hasIDs("again", []int64{1, 2, 3})
}

func purges(p place) error {
	if _, err := p.makeTable("one", [][]int64{{1}}); err != nil {
		return err
	}
	if err := p.cat.PurgeTable(p.ctx, p.name("one")); err != nil {
		return err
	}
	_, gone := p.load("one")
	return refused(gone, catalog.ErrNoSuchTable)
}

func races(p place) error {
	more := iceberg.Properties{table.CommitNumRetriesKey: "30", table.CommitTotalRetryTimeoutMsKey: "60000"}
	if _, err := p.makeTable("shared", nil, catalog.WithProperties(more)); err != nil {
		return err
	}
	var writers sync.WaitGroup
	failures := make([]error, 8)
	wanted := []int64{}
	for i := range failures {
		own := []int64{int64(2 * i), int64(2*i + 1)}
		wanted = append(wanted, own...)
		writers.Go(func() {
			for _, id := range own {
				loaded, err := p.load("shared")
				if err == nil {
					_, err = appendRows(p.ctx, loaded, id)
				}
				if err != nil {
					failures[i] = err
				}
			}
		})
	}
	writers.Wait()
	for _, failure := range failures {
		if failure != nil {
			return failure
		}
	}
	return p.hasIDs("shared", wanted)
}

func transactions(p place) error {
	begin := func(name string) (*table.Transaction, error) {
		loaded, err := p.load(name)
		if err != nil {
			return nil, err
		}
		begun := loaded.NewTransaction()
		return begun, begun.AppendTable(p.ctx, numbered(1), 1, nil)
	}
	commit := func(begun ...*table.Transaction) error {
		all, err := catalog.NewMultiTableTransaction(p.cat)
		if err != nil {
			return err
		}
		for _, each := range begun {
			if err := all.AddTransaction(each); err != nil {
				return err
			}
		}
		return all.Commit(p.ctx)
	}
	for _, name := range []string{"a", "b"} {
		if _, err := p.makeTable(name, nil); err != nil {
			return err
		}
	}
	var begun [4]*table.Transaction
	for i, name := range []string{"a", "b", "a", "b"} {
		var err error
		if begun[i], err = begin(name); err != nil {
			return err
		}
	}
	if err := commit(begun[0], begun[1]); err != nil {
		return err
	}
	if commit(begun[2], begun[3]) == nil {
		return fmt.Errorf("a stale transaction is taken")
	}
	return inTurn(
		func() error { return p.hasIDs("a", []int64{1}) },
		func() error { return p.hasIDs("b", []int64{1}) },
	)
}
