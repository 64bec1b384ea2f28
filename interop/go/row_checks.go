package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
)

var rowChecks = []check{
	{"rows that it appends are read back, and dumped", appends},
	{"rows of format version 1 and 3 are read back, and dumped", otherVersions},
	{"rows that are uploaded are read, with filters, and by older snapshots", reads},
	{"a filter by the start of a text finds its rows", readsByStart},
	{"a filter finds the one value of a column whose other value is null", readsHalfNull},
	{"files without field ids are read, registered by path", readsUnnumbered},
	{"files that it adds by path are read, and dumped", addsFiles},
	{"rows are written into partitions of each transform, pruned and dumped", partitions},
	{"rows that are uploaded into partitions are read with filters", readsPartitions},
	{"values of every type come back, and are dumped", everyValue},
	{"a plan of the service has the rows of its own plan", plans},
}

func appends(p place) error {
	if _, err := p.makeTable("made", [][]int64{{1, 2, 3}, {4}}); err != nil {
		return err
	}
	return inTurn(
		func() error { return p.hasIDs("made", []int64{1, 2, 3, 4}) },
		func() error { return p.dumps("made", "1,n1", "2,n2", "3,n3", "4,n4") },
	)
}

func otherVersions(p place) error {
	for _, version := range []string{"1", "3"} {
		option := catalog.WithProperties(iceberg.Properties{table.PropertyFormatVersion: version})
		name := "v" + version
		made, err := p.makeTable(name, [][]int64{{1}, {2}}, option)
		if err != nil {
			return fmt.Errorf("version %s: %w", version, err)
		}
		if err := same(fmt.Sprint(made.Metadata().Version()), version); err != nil {
			return err
		}
		if err := inTurn(
			func() error { return p.hasIDs(name, []int64{1, 2}) },
			func() error { return p.dumps(name, "1,n1", "2,n2") },
		); err != nil {
			return fmt.Errorf("version %s: %w", version, err)
		}
	}
	return nil
}

// Makes a table over /v1, and uploads each text of CSV by a commit of its own.
func (p place) makeOurs(name string, more string, texts ...string) error {
	definition := `{"name":"` + name + `","namespace":"` + p.namespace + `","schema":{"columns":[` +
		`{"name":"id","type":"long"},{"name":"name","type":"string"}]}` + more + `}`
	if _, err := p.post("/v1/tables", "application/json", definition); err != nil {
		return err
	}
	for _, text := range texts {
		if _, err := p.post("/v1/tables/"+p.namespace+"."+name+"/files", "text/csv", text); err != nil {
			return err
		}
		time.Sleep(2 * time.Millisecond) // so that the snapshots have times of their own
	}
	return nil
}

func reads(p place) error {
	if err := p.makeOurs("ours", "", "id,name\n1,a\n2,\n3,b\n", "id,name\n30,c\n40,d\n"); err != nil {
		return err
	}
	loaded, err := p.load("ours")
	if err != nil {
		return err
	}
	first := loaded.Metadata().Snapshots()[0]
	where := func(condition iceberg.BooleanExpression) table.ScanOption { return table.WithRowFilter(condition) }
	id, name := iceberg.Reference("id"), iceberg.Reference("name")
	for _, each := range []struct {
		wanted  []int64
		options []table.ScanOption
	}{
		{[]int64{1, 2, 3, 30, 40}, nil},
		{[]int64{40}, []table.ScanOption{where(iceberg.GreaterThan(id, int64(30)))}},
		{[]int64{2}, []table.ScanOption{where(iceberg.IsNull(name))}},
		{[]int64{1, 40}, []table.ScanOption{where(iceberg.IsIn(name, "a", "d"))}},
		{[]int64{30}, []table.ScanOption{where(iceberg.NewAnd(iceberg.EqualTo(name, "c"), iceberg.NewNot(iceberg.EqualTo(id, int64(1)))))}},
		{[]int64{1, 2, 3}, []table.ScanOption{table.WithSnapshotID(first.SnapshotID)}},
		{[]int64{1, 2, 3}, []table.ScanOption{table.WithSnapshotAsOf(first.TimestampMs)}},
	} {
		if err := p.hasIDs("ours", each.wanted, each.options...); err != nil {
			return err
		}
	}
	limited, err := loaded.Scan(table.WithLimit(3), table.WithSelectedFields("name")).ToArrowTable(p.ctx)
	if err != nil {
		return err
	}
	return same([]int64{limited.NumRows(), limited.NumCols()}, []int64{3, 1})
}

func readsByStart(p place) error {
	if err := p.makeOurs("ours", "", "id,name\n1,car\n2,dog\n"); err != nil {
		return err
	}
	return p.hasIDs("ours", []int64{1}, table.WithRowFilter(iceberg.StartsWith(iceberg.Reference("name"), "ca")))
}

func readsHalfNull(p place) error {
	if err := p.makeOurs("ours", "", "id,name\n1,a\n2,\n"); err != nil {
		return err
	}
	return p.hasIDs("ours", []int64{1}, table.WithRowFilter(iceberg.EqualTo(iceberg.Reference("name"), "a")))
}

// A file as other programs write them, without field ids.
func (p place) writeFile(name string, ids ...int64) (string, error) {
	path := filepath.Join(p.data, p.namespace+"-"+name+".parquet")
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	return "file://" + path, pqarrow.WriteTable(numbered(ids...), file, 1024, nil, pqarrow.DefaultWriterProps())
}

func readsUnnumbered(p place) error {
	if err := p.makeOurs("ours", ""); err != nil {
		return err
	}
	path, err := p.writeFile("one", 5, 6)
	if err != nil {
		return err
	}
	if _, err := p.post("/v1/tables/"+p.namespace+".ours/files", "application/json", `{"files":[{"path":"`+path+`"}]}`); err != nil {
		return err
	}
	return inTurn(
		func() error { return p.hasIDs("ours", []int64{5, 6}) },
		func() error {
			filter := iceberg.EqualTo(iceberg.Reference("name"), "n6")
			return p.hasIDs("ours", []int64{6}, table.WithRowFilter(filter))
		},
	)
}

func addsFiles(p place) error {
	made, err := p.makeTable("made", [][]int64{{1}})
	if err != nil {
		return err
	}
	path, err := p.writeFile("two", 7, 8)
	if err != nil {
		return err
	}
	begun := made.NewTransaction()
	if err := begun.AddFiles(p.ctx, []string{path}, nil, false); err != nil {
		return err
	}
	if _, err := begun.Commit(p.ctx); err != nil {
		return err
	}
	return inTurn(
		func() error { return p.hasIDs("made", []int64{1, 7, 8}) },
		func() error { return p.dumps("made", "1,n1", "7,n7", "8,n8") },
	)
}

func partitions(p place) error {
	for _, transform := range []iceberg.Transform{
		iceberg.IdentityTransform{}, iceberg.BucketTransform{NumBuckets: 3}, iceberg.TruncateTransform{Width: 1}, iceberg.VoidTransform{},
	} {
		label := fmt.Sprintf("by_%T", transform)[len("by_iceberg."):]
		option := iceberg.AddPartitionFieldBySourceID(2, "part", transform, fields, nil)
		spec, err := iceberg.NewPartitionSpecOpts(option)
		if err != nil {
			return err
		}
		if _, err := p.makeTable(label, [][]int64{{1, 2, 30}, {31}}, catalog.WithPartitionSpec(&spec)); err != nil {
			return fmt.Errorf("%s: %w", transform, err)
		}
		filter := table.WithRowFilter(iceberg.EqualTo(iceberg.Reference("name"), "n30"))
		if err := inTurn(
			func() error { return p.hasIDs(label, []int64{1, 2, 30, 31}) },
			func() error { return p.hasIDs(label, []int64{30}, filter) },
			func() error { return p.dumps(label, "1,n1", "2,n2", "30,n30", "31,n31") },
		); err != nil {
			return fmt.Errorf("%s: %w", transform, err)
		}
	}
	return nil
}

func readsPartitions(p place) error {
	by := `,"partitioning":[{"column":"name","transform":"identity"},{"column":"id","transform":"bucket[4]"}]`
	if err := p.makeOurs("ours", by, "id,name\n1,a\n2,b\n3,\n", "id,name\n4,a/b %\n"); err != nil {
		return err
	}
	name := iceberg.Reference("name")
	return inTurn(
		func() error { return p.hasIDs("ours", []int64{1, 2, 3, 4}) },
		func() error { return p.hasIDs("ours", []int64{4}, table.WithRowFilter(iceberg.EqualTo(name, "a/b %"))) },
		func() error { return p.hasIDs("ours", []int64{3}, table.WithRowFilter(iceberg.IsNull(name))) },
	)
}

func everyValue(p place) error {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "flag", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		{Name: "ratio", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "price", Type: &arrow.Decimal128Type{Precision: 12, Scale: 3}, Nullable: true},
		{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
		{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "raw", Type: arrow.BinaryTypes.Binary, Nullable: true},
		{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
		{Name: "spot", Type: arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Float64, Nullable: true}), Nullable: true},
	}, nil)
	wanted, err := iceberg.NewSchemaFromJsonFields(0, `[
		{"id":1,"name":"n","type":"long","required":false},{"id":2,"name":"flag","type":"boolean","required":false},
		{"id":3,"name":"ratio","type":"double","required":false},{"id":4,"name":"price","type":"decimal(12,3)","required":false},
		{"id":5,"name":"day","type":"date","required":false},{"id":6,"name":"at","type":"timestamptz","required":false},
		{"id":7,"name":"raw","type":"binary","required":false},
		{"id":8,"name":"tags","required":false,"type":{"type":"list","element-id":10,"element":"string","element-required":false}},
		{"id":9,"name":"spot","required":false,"type":{"type":"struct","fields":[{"id":11,"name":"x","type":"double","required":false}]}}]`)
	if err != nil {
		return err
	}
	made, err := p.cat.CreateTable(p.ctx, p.name("all"), wanted)
	if err != nil {
		return err
	}
	text := `[{"n":9007199254740993,"flag":true,"ratio":0.1,"price":"1.125","day":"2024-02-29","at":"2024-02-29T23:59:59.123456Z","raw":"AAH/","tags":["a",null],"spot":{"x":1.5}},{"n":2}]`
	rows, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(text))
	if err != nil {
		return err
	}
	written := array.NewTableFromRecords(schema, []arrow.RecordBatch{rows})
	if _, err := made.AppendTable(p.ctx, written, 10, nil); err != nil {
		return err
	}
	loaded, err := p.load("all")
	if err != nil {
		return err
	}
	read, err := loaded.Scan().ToArrowTable(p.ctx)
	if err != nil {
		return err
	}
	names := []string{"n", "flag", "ratio", "price", "day", "at", "raw", "tags", "spot"}
	before, err := lines(written, names...)
	if err != nil {
		return err
	}
	after, err := lines(read, names...)
	if err != nil {
		return err
	}
	return inTurn(
		func() error { return same(after, before) },
		func() error {
			return p.dumps("all", "2,,,,,,,,",
				`9007199254740993,true,0.1,1.125,2024-02-29,2024-02-29 23:59:59.123456+00:00,AAH/,"[""a"",null]","{""x"":1.5}"`)
		},
	)
}

func plans(p place) error {
	made, err := p.makeTable("made", [][]int64{{1, 2}, {3}, {40, 50}})
	if err != nil {
		return err
	}
	begun := made.NewTransaction()
	if err := begun.SetProperties(iceberg.Properties{table.WriteDeleteModeKey: table.WriteModeMergeOnRead}); err != nil {
		return err
	}
	if made, err = begun.Commit(p.ctx); err != nil {
		return err
	}
	id := iceberg.Reference("id")
	if made, err = made.Delete(p.ctx, iceberg.EqualTo(id, int64(2)), nil); err != nil {
		return err
	}
	for _, condition := range []iceberg.BooleanExpression{
		iceberg.AlwaysTrue{}, iceberg.LessThan(id, int64(3)), iceberg.IsIn(id, int64(3), int64(50)),
		iceberg.NewNot(iceberg.EqualTo(iceberg.Reference("name"), "n40")), iceberg.GreaterThan(id, int64(99)),
	} {
		own, err := idsOf(p, made.Scan(table.WithRowFilter(condition)))
		if err != nil {
			return err
		}
		theirs, err := idsOf(p, made.Scan(table.WithRowFilter(condition), table.WithScanPlanningMode(table.ScanPlanningRemote)))
		if err != nil {
			return fmt.Errorf("%s: %w", condition, err)
		}
		if err := same(theirs, own); err != nil {
			return fmt.Errorf("%s: %w", condition, err)
		}
	}
	return nil
}

func idsOf(p place, scan *table.Scan) ([]string, error) {
	rows, err := scan.ToArrowTable(p.ctx)
	if err != nil {
		return nil, err
	}
	found, err := lines(rows, "id", "name")
	return slices.Clip(found), err
}
