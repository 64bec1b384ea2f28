package main

import (
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

var changeChecks = []check{
	{"properties are set and removed", properties},
	{"columns that it adds, renames, widens, moves and drops keep the rows", evolves},
	{"columns that /v1 adds and renames are read", readsEvolved},
	{"the partitioning changes, and rows of both are read and dumped", repartitions},
	{"the order changes", reorders},
	{"a table is upgraded, and written to as before", upgrades},
}

// Commits what `change` does to the table as it is now.
func (p place) change(name string, change func(*table.Transaction) error) error {
	loaded, err := p.load(name)
	if err != nil {
		return err
	}
	begun := loaded.NewTransaction()
	if err := change(begun); err != nil {
		return err
	}
	_, err = begun.Commit(p.ctx)
	return err
}

func properties(p place) error {
	if _, err := p.makeTable("made", [][]int64{{1}}); err != nil {
		return err
	}
	if err := inTurn(
		func() error {
			return p.change("made", func(begun *table.Transaction) error {
				return begun.SetProperties(iceberg.Properties{"a": "1", "é": "2"})
			})
		},
		func() error {
			return p.change("made", func(begun *table.Transaction) error { return begun.RemoveProperties([]string{"a"}) })
		},
	); err != nil {
		return err
	}
	loaded, err := p.load("made")
	if err != nil {
		return err
	}
	_, isThere := loaded.Properties()["a"]
	return same([]any{isThere, loaded.Properties()["é"]}, []any{false, "2"})
}

func evolves(p place) error {
	narrow := iceberg.NewSchema(0,
		iceberg.NestedField{ID: 1, Name: "id", Type: iceberg.PrimitiveTypes.Int64},
		iceberg.NestedField{ID: 2, Name: "name", Type: iceberg.PrimitiveTypes.String},
		iceberg.NestedField{ID: 3, Name: "small", Type: iceberg.PrimitiveTypes.Int32},
	)
	if _, err := p.cat.CreateTable(p.ctx, p.name("made"), narrow); err != nil {
		return err
	}
	if _, err := p.post("/v1/tables/"+p.namespace+".made/files", "text/csv", "id,name,small\n1,n1,7\n"); err != nil {
		return err
	}
	if err := p.change("made", func(begun *table.Transaction) error {
		wide := table.ColumnUpdate{FieldType: iceberg.Optional[iceberg.Type]{Val: iceberg.PrimitiveTypes.Int64, Valid: true}}
		return begun.UpdateSchema(true, false).
			AddColumn([]string{"added"}, iceberg.PrimitiveTypes.Float64, "a doc", false, nil).
			RenameColumn([]string{"name"}, "label").
			UpdateColumn([]string{"small"}, wide).
			MoveFirst([]string{"small"}).
			Commit()
	}); err != nil {
		return err
	}
	if _, err := p.post("/v1/tables/"+p.namespace+".made/files", "text/csv", "id,label,small,added\n2,n2,8000000000,0.5\n"); err != nil {
		return err
	}
	if err := p.hasLines("made", []string{"small", "id", "label", "added"}, "7,1,n1,", "8000000000,2,n2,0.5"); err != nil {
		return err
	}
	if err := p.change("made", func(begun *table.Transaction) error {
		return begun.UpdateSchema(true, false).DeleteColumn([]string{"label"}).Commit()
	}); err != nil {
		return err
	}
	return p.dumps("made", "7,1,", "8000000000,2,0.5")
}

func readsEvolved(p place) error {
	if err := p.makeOurs("ours", "", "id,name\n1,a\n"); err != nil {
		return err
	}
	path, err := p.writeFile("one", 5)
	if err != nil {
		return err
	}
	address := "/v1/tables/" + p.namespace + ".ours"
	if _, err := p.post(address+"/files", "application/json", `{"files":[{"path":"`+path+`"}]}`); err != nil {
		return err
	}
	if _, err := p.post(address+"/schemas", "application/json",
		`{"changes":[{"op":"rename","name":"name","to":"label"},{"op":"add","column":{"name":"more","type":"int"}}]}`); err != nil {
		return err
	}
	return p.hasLines("ours", []string{"id", "label", "more"}, "1,a,", "5,n5,")
}

func repartitions(p place) error {
	if _, err := p.makeTable("made", [][]int64{{1, 2}}); err != nil {
		return err
	}
	for _, change := range []func(*table.UpdateSpec) *table.UpdateSpec{
		func(spec *table.UpdateSpec) *table.UpdateSpec {
			return spec.AddField("id", iceberg.BucketTransform{NumBuckets: 4}, "part")
		},
		func(spec *table.UpdateSpec) *table.UpdateSpec { return spec.AddIdentity("name").RemoveField("part") },
		func(spec *table.UpdateSpec) *table.UpdateSpec { return spec.RenameField("name", "named") },
	} {
		if err := p.change("made", func(begun *table.Transaction) error {
			return change(begun.UpdateSpec(true)).Commit()
		}); err != nil {
			return err
		}
		loaded, err := p.load("made")
		if err != nil {
			return err
		}
		if _, err := appendRows(p.ctx, loaded, 3); err != nil {
			return err
		}
	}
	return inTurn(
		func() error { return p.hasIDs("made", []int64{1, 2, 3, 3, 3}) },
		func() error {
			filter := table.WithRowFilter(iceberg.EqualTo(iceberg.Reference("name"), "n3"))
			return p.hasIDs("made", []int64{3, 3, 3}, filter)
		},
		func() error { return p.dumps("made", "1,n1", "2,n2", "3,n3", "3,n3", "3,n3") },
	)
}

func reorders(p place) error {
	if _, err := p.makeTable("made", [][]int64{{1}}); err != nil {
		return err
	}
	order, err := table.NewSortOrder(1, []table.SortField{
		{SourceIDs: []int{2}, Transform: iceberg.IdentityTransform{}, Direction: table.SortASC, NullOrder: table.NullsFirst},
	})
	if err != nil {
		return err
	}
	if err := p.change("made", func(begun *table.Transaction) error { return begun.ReplaceSortOrder(order) }); err != nil {
		return err
	}
	loaded, err := p.load("made")
	if err != nil {
		return err
	}
	if _, err := appendRows(p.ctx, loaded, 3, 2); err != nil {
		return err
	}
	return inTurn(
		func() error { return same(loaded.SortOrder().OrderID(), 1) },
		func() error { return p.hasIDs("made", []int64{1, 2, 3}) },
	)
}

func upgrades(p place) error {
	if _, err := p.makeTable("made", [][]int64{{1}}); err != nil {
		return err
	}
	if err := p.change("made", func(begun *table.Transaction) error { return begun.UpgradeFormatVersion(3) }); err != nil {
		return err
	}
	loaded, err := p.load("made")
	if err != nil {
		return err
	}
	if _, err := appendRows(p.ctx, loaded, 2); err != nil {
		return err
	}
	return inTurn(
		func() error { return same(loaded.Metadata().Version(), 3) },
		func() error { return p.hasIDs("made", []int64{1, 2}) },
		func() error { return p.dumps("made", "1,n1", "2,n2") },
	)
}
