package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"sort"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
)

// The table of most checks: a number and a name.
var fields = iceberg.NewSchema(0,
	iceberg.NestedField{ID: 1, Name: "id", Type: iceberg.PrimitiveTypes.Int64},
	iceberg.NestedField{ID: 2, Name: "name", Type: iceberg.PrimitiveTypes.String},
)

var columns = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

// Makes a table, and appends each list of ids by a commit of its own.
func (p place) makeTable(name string, ids [][]int64, options ...catalog.CreateTableOpt) (*table.Table, error) {
	made, err := p.cat.CreateTable(p.ctx, p.name(name), fields, options...)
	for _, batch := range ids {
		if err != nil {
			return nil, err
		}
		made, err = appendRows(p.ctx, made, batch...)
	}
	return made, err
}

// Rows whose names are made of their ids.
func numbered(ids ...int64) arrow.Table {
	builder := array.NewRecordBuilder(memory.DefaultAllocator, columns)
	for _, id := range ids {
		builder.Field(0).(*array.Int64Builder).Append(id)
		builder.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("n%d", id))
	}
	return array.NewTableFromRecords(columns, []arrow.RecordBatch{builder.NewRecordBatch()})
}

func appendRows(ctx context.Context, to *table.Table, ids ...int64) (*table.Table, error) {
	return to.AppendTable(ctx, numbered(ids...), int64(len(ids)), nil)
}

func (p place) load(name string) (*table.Table, error) { return p.cat.LoadTable(p.ctx, p.name(name)) }

// Holds that a scan of the table as it is now finds these ids, in any order.
func (p place) hasIDs(name string, wanted []int64, options ...table.ScanOption) error {
	loaded, err := p.load(name)
	if err != nil {
		return err
	}
	return p.scanHasIDs(loaded.Scan(options...), wanted)
}

func (p place) scanHasIDs(scan *table.Scan, wanted []int64) error {
	rows, err := scan.ToArrowTable(p.ctx)
	if err != nil {
		return err
	}
	found := []int64{}
	for _, chunk := range column(rows, "id").Data().Chunks() {
		found = append(found, chunk.(*array.Int64).Int64Values()...)
	}
	sort.Slice(found, func(i, j int) bool { return found[i] < found[j] })
	return same(found, wanted)
}

// Holds that the service dumps these lines of CSV below the header, in any order.
func (p place) dumps(name string, wanted ...string) error {
	text, err := answer(http.Get(p.url + "/v1/tables/" + p.namespace + "." + name + "/dump?format=csv"))
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")[1:]
	sort.Strings(lines)
	return same(lines, append([]string{}, wanted...))
}

// Columns as text, one line a row, sorted: `name` values apart by commas, nothing for null.
func lines(rows arrow.Table, names ...string) ([]string, error) {
	found := []string{}
	reader := array.NewTableReader(rows, 0)
	for reader.Next() {
		batch := reader.RecordBatch()
		for i := 0; i < int(batch.NumRows()); i++ {
			var values []string
			for _, name := range names {
				at := batch.Schema().FieldIndices(name)
				if len(at) != 1 {
					return nil, fmt.Errorf("%d columns %s in %v", len(at), name, batch.Schema())
				}
				value := ""
				if cells := batch.Column(at[0]); !cells.IsNull(i) {
					value = cells.ValueStr(i)
				}
				values = append(values, value)
			}
			found = append(found, strings.Join(values, ","))
		}
	}
	sort.Strings(found)
	return found, reader.Err()
}

func (p place) hasLines(name string, columns []string, wanted ...string) error {
	loaded, err := p.load(name)
	if err != nil {
		return err
	}
	rows, err := loaded.Scan().ToArrowTable(p.ctx)
	if err != nil {
		return err
	}
	found, err := lines(rows, columns...)
	if err != nil {
		return err
	}
	return same(found, wanted)
}

func column(rows arrow.Table, name string) *arrow.Column {
	return rows.Column(rows.Schema().FieldIndices(name)[0])
}

func (p place) post(path, contentType, body string) (string, error) {
	return answer(http.Post(p.url+path, contentType, strings.NewReader(body)))
}

func answer(reply *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return "", err
	}
	if reply.StatusCode >= 300 {
		return "", fmt.Errorf("%d %s", reply.StatusCode, body)
	}
	return string(body), nil
}

func same(found, wanted any) error {
	if reflect.DeepEqual(found, wanted) {
		return nil
	}
	return fmt.Errorf("found %v, not %v", found, wanted)
}

// Holds that `err` is `wanted`.
func refused(err, wanted error) error {
	if errors.Is(err, wanted) {
		return nil
	}
	return fmt.Errorf("%v, not %v", err, wanted)
}

// The first error of steps that are all done, one after the other, until one fails.
func inTurn(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
