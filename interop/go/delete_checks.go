package main

import (
	"fmt"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
)

var deleteChecks = []check{
	{"rows are deleted by rewriting their files", deletes("2", table.WriteModeCopyOnWrite)},
	{"rows are deleted by position deletes", deletes("2", table.WriteModeMergeOnRead)},
	{"rows are deleted by deletion vectors", deletes("3", table.WriteModeMergeOnRead)},
	{"rows are deleted by equality deletes", deletesByValue},
	{"rows are overwritten by a filter", overwrites},
	{"all rows are overwritten", overwritesAll},
	{"files that /v1 removes are gone from its scans", readsRemoved},
}

func deletes(version, mode string) func(place) error {
	return func(p place) error {
		option := catalog.WithProperties(iceberg.Properties{
			table.PropertyFormatVersion: version, table.WriteDeleteModeKey: mode,
		})
		made, err := p.makeTable("made", [][]int64{{1, 2, 3}, {4, 5}}, option)
		if err != nil {
			return err
		}
		id := iceberg.Reference("id")
		for _, condition := range []iceberg.BooleanExpression{
			iceberg.EqualTo(id, int64(2)), iceberg.IsIn(id, int64(3), int64(4)),
		} {
			if made, err = made.Delete(p.ctx, condition, nil); err != nil {
				return fmt.Errorf("%s: %w", condition, err)
			}
		}
		return inTurn(
			func() error { return p.hasIDs("made", []int64{1, 5}) },
			func() error { return p.dumps("made", "1,n1", "5,n5") },
			func() error {
				before := made.Metadata().Snapshots()[1].SnapshotID
				return p.hasIDs("made", []int64{1, 2, 3, 4, 5}, table.WithSnapshotID(before))
			},
		)
	}
}

func deletesByValue(p place) error {
	made, err := p.makeTable("made", [][]int64{{1, 2, 3}, {4}})
	if err != nil {
		return err
	}
	key := arrow.NewSchema([]arrow.Field{columns.Field(0)}, nil)
	builder := array.NewRecordBuilder(memory.DefaultAllocator, key)
	builder.Field(0).(*array.Int64Builder).AppendValues([]int64{2, 4}, nil)
	batch := builder.NewRecordBatch()
	keys := iter.Seq2[arrow.RecordBatch, error](func(yield func(arrow.RecordBatch, error) bool) { yield(batch, nil) })
	begun := made.NewTransaction()
	if err := begun.CommitEqualityDeletes(p.ctx, []int{1}, keys, nil); err != nil {
		return err
	}
	if made, err = begun.Commit(p.ctx); err != nil {
		return err
	}
	if _, err := appendRows(p.ctx, made, 4); err != nil {
		return err
	}
	return inTurn(
		func() error { return p.hasIDs("made", []int64{1, 3, 4}) },
		func() error { return p.dumps("made", "1,n1", "3,n3", "4,n4") },
	)
}

func overwrites(p place) error {
	made, err := p.makeTable("made", [][]int64{{1, 2}, {3}})
	if err != nil {
		return err
	}
	filter := table.WithOverwriteFilter(iceberg.LessThan(iceberg.Reference("id"), int64(2)))
	if _, err := made.OverwriteTable(p.ctx, numbered(8, 9), 10, nil, filter); err != nil {
		return err
	}
	return inTurn(
		func() error { return p.hasIDs("made", []int64{2, 3, 8, 9}) },
		func() error { return p.dumps("made", "2,n2", "3,n3", "8,n8", "9,n9") },
	)
}

func overwritesAll(p place) error {
	made, err := p.makeTable("made", [][]int64{{1, 2}, {3}})
	if err != nil {
		return err
	}
	if _, err := made.OverwriteTable(p.ctx, numbered(8), 10, nil); err != nil {
		return err
	}
	return inTurn(
		func() error { return p.hasIDs("made", []int64{8}) },
		func() error { return p.dumps("made", "8,n8") },
	)
}

func readsRemoved(p place) error {
	if err := p.makeOurs("ours", "", "id,name\n1,a\n", "id,name\n2,b\n"); err != nil {
		return err
	}
	loaded, err := p.load("ours")
	if err != nil {
		return err
	}
	files, err := loaded.Scan(table.WithRowFilter(iceberg.EqualTo(iceberg.Reference("id"), int64(1)))).PlanFiles(p.ctx)
	if err != nil {
		return err
	}
	body := `{"files":[{"path":"` + files[0].File.FilePath() + `"}]}`
	if _, err := p.post("/v1/tables/"+p.namespace+".ours/files/remove", "application/json", body); err != nil {
		return err
	}
	return p.hasIDs("ours", []int64{2})
}
