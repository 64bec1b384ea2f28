package main

import (
	"fmt"

	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
	"github.com/apache/iceberg-go/view"
)

var viewChecks = []check{
	{"a view is made once, found, listed and dropped", views},
	{"a view is replaced, renamed and registered again", changesViews},
}

func (p place) makeView(name, sql string) (*view.View, error) {
	version, err := view.NewVersionFromSQL(1, 0, sql, table.Identifier{p.namespace})
	if err != nil {
		return nil, err
	}
	return p.cat.CreateView(p.ctx, p.name(name), version, fields)
}

func (p place) viewSays(name, wanted string) error {
	loaded, err := p.cat.LoadView(p.ctx, p.name(name))
	if err != nil {
		return err
	}
	return same(loaded.CurrentVersion().Representations[0].Sql, wanted)
}

func views(p place) error {
	if _, err := p.makeView("seen", "SELECT 1"); err != nil {
		return err
	}
	_, again := p.makeView("seen", "SELECT 1")
	found := []string{}
	for each, err := range p.cat.ListViews(p.ctx, table.Identifier{p.namespace}) {
		if err != nil {
			return err
		}
		found = append(found, each[len(each)-1])
	}
	return inTurn(
		func() error { return refused(again, catalog.ErrViewAlreadyExists) },
		func() error { return same(found, []string{"seen"}) },
		func() error { return p.viewSays("seen", "SELECT 1") },
		func() error { return p.cat.DropView(p.ctx, p.name("seen")) },
		func() error { return refused(p.cat.DropView(p.ctx, p.name("seen")), catalog.ErrNoSuchView) },
	)
}

func changesViews(p place) error {
	made, err := p.makeView("seen", "SELECT 1")
	if err != nil {
		return err
	}
	version, err := view.NewVersionFromSQL(2, 0, "SELECT 2", table.Identifier{p.namespace})
	if err != nil {
		return err
	}
	if _, err := p.cat.UpdateView(p.ctx, p.name("seen"), nil, []view.Update{
		view.NewAddViewVersionUpdate(version), view.NewSetCurrentVersionUpdate(view.LastAddedID),
	}); err != nil {
		return err
	}
	if err := p.viewSays("seen", "SELECT 2"); err != nil {
		return err
	}
	if _, err := p.cat.RenameView(p.ctx, p.name("seen"), p.name("new")); err != nil {
		return err
	}
	if err := p.viewSays("new", "SELECT 2"); err != nil {
		return err
	}
	if err := p.cat.DropView(p.ctx, p.name("new")); err != nil {
		return err
	}
	if _, err := p.cat.RegisterView(p.ctx, p.name("again"), made.MetadataLocation()); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	return p.viewSays("again", "SELECT 1")
}
