package main

import (
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

var refChecks = []check{
	{"a tag and a branch are made, read, written to and dropped", refs},
	{"a table is rolled back", rollsBack},
	{"snapshots expire, and no others", expires},
	{"a stale ref is refused", staleRefs},
	{"snapshots, refs and files are inspected", inspects},
}

func (p place) setRef(name, ref string, kind table.RefType, snapshotID int64) error {
	_, _, err := p.cat.CommitTable(p.ctx, p.name(name), nil,
		[]table.Update{table.NewSetSnapshotRefUpdate(ref, snapshotID, kind, 0, 0, 0)})
	return err
}

func (p place) refHasIDs(name, ref string, wanted ...int64) error {
	loaded, err := p.load(name)
	if err != nil {
		return err
	}
	scan, err := loaded.Scan().UseRef(ref)
	if err != nil {
		return err
	}
	return p.scanHasIDs(scan, wanted)
}

func refs(p place) error {
	made, err := p.makeTable("made", [][]int64{{1}, {2}})
	if err != nil {
		return err
	}
	first := made.Metadata().Snapshots()[0].SnapshotID
	if err := p.setRef("made", "v1", table.TagRef, first); err != nil {
		return err
	}
	if err := p.setRef("made", "try", table.BranchRef, first); err != nil {
		return err
	}
	loaded, err := p.load("made")
	if err != nil {
		return err
	}
	begun := loaded.NewTransactionOnBranch("try")
	if err := begun.AppendTable(p.ctx, numbered(30), 1, nil); err != nil {
		return err
	}
	if _, err := begun.Commit(p.ctx); err != nil {
		return err
	}
	return inTurn(
		func() error { return p.refHasIDs("made", "v1", 1) },
		func() error { return p.refHasIDs("made", "try", 1, 30) },
		func() error { return p.hasIDs("made", []int64{1, 2}) },
		func() error {
			_, _, err := p.cat.CommitTable(p.ctx, p.name("made"), nil, []table.Update{table.NewRemoveSnapshotRefUpdate("v1")})
			return err
		},
		func() error {
			if p.refHasIDs("made", "v1", 1) == nil {
				return fmt.Errorf("the tag is still there")
			}
			return nil
		},
	)
}

func rollsBack(p place) error {
	made, err := p.makeTable("made", [][]int64{{1}, {2}})
	if err != nil {
		return err
	}
	first := made.Metadata().Snapshots()[0].SnapshotID
	return inTurn(
		func() error {
			return p.change("made", func(begun *table.Transaction) error { return begun.RollbackToSnapshot(first) })
		},
		func() error { return p.hasIDs("made", []int64{1}) },
		func() error { return p.dumps("made", "1,n1") },
	)
}

func expires(p place) error {
	made, err := p.makeTable("made", [][]int64{{1}, {2}, {3}, {4}})
	if err != nil {
		return err
	}
	kept := made.Metadata().Snapshots()[0].SnapshotID
	if err := p.setRef("made", "kept", table.TagRef, kept); err != nil {
		return err
	}
	if err := p.change("made", func(begun *table.Transaction) error {
		return begun.ExpireSnapshots(table.WithOlderThan(time.Nanosecond), table.WithRetainLast(1))
	}); err != nil {
		return err
	}
	loaded, err := p.load("made")
	if err != nil {
		return err
	}
	found := []int64{}
	for _, each := range loaded.Metadata().Snapshots() {
		found = append(found, each.SnapshotID)
	}
	return inTurn(
		func() error { return same(found, []int64{kept, loaded.CurrentSnapshot().SnapshotID}) },
		func() error { return p.hasIDs("made", []int64{1, 2, 3, 4}) },
		func() error { return p.refHasIDs("made", "kept", 1) },
	)
}

func staleRefs(p place) error {
	made, err := p.makeTable("made", [][]int64{{1}, {2}})
	if err != nil {
		return err
	}
	first := made.Metadata().Snapshots()[0].SnapshotID
	_, _, stale := p.cat.CommitTable(p.ctx, p.name("made"),
		[]table.Requirement{table.AssertRefSnapshotID("main", &first)},
		[]table.Update{table.NewSetPropertiesUpdate(iceberg.Properties{"a": "b"})})
	return refused(stale, table.ErrCommitFailed)
}

func inspects(p place) error {
	made, err := p.makeTable("made", [][]int64{{1}, {2}})
	if err != nil {
		return err
	}
	if err := p.setRef("made", "v1", table.TagRef, made.CurrentSnapshot().SnapshotID); err != nil {
		return err
	}
	loaded, err := p.load("made")
	if err != nil {
		return err
	}
	of := loaded.Inspect()
	for _, each := range []struct {
		name   string
		reader func() (array.RecordReader, error)
		wanted int64
	}{
		{"snapshots", func() (array.RecordReader, error) { return of.Snapshots(p.ctx) }, 2},
		{"history", func() (array.RecordReader, error) { return of.History(p.ctx) }, 2},
		{"refs", func() (array.RecordReader, error) { return of.Refs(p.ctx) }, 2},
		{"files", func() (array.RecordReader, error) { return of.Files(p.ctx) }, 2},
		{"entries", func() (array.RecordReader, error) { return of.Entries(p.ctx) }, 2},
		{"partitions", func() (array.RecordReader, error) { return of.Partitions(p.ctx) }, 1},
	} {
		reader, err := each.reader()
		if err != nil {
			return fmt.Errorf("%s: %w", each.name, err)
		}
		count := int64(0)
		for reader.Next() {
			count += reader.RecordBatch().NumRows()
		}
		if count != each.wanted || reader.Err() != nil {
			return fmt.Errorf("%s: %d, not %d rows %v", each.name, count, each.wanted, reader.Err())
		}
	}
	return nil
}
