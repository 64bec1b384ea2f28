use iceberg::spec::{FormatVersion, NullOrder, PrimitiveType, Type};
use iceberg::table::Table;
use iceberg::transaction::{AddColumn, ApplyTransactionAction, Transaction};
use iceberg::{ErrorKind, Result};

use crate::place::{Place, numbered, refused, rows_of, same};
use crate::{Check, Outcome, check};

pub const CHECKS: &[Check] = &[
    check!("properties are set and removed", properties),
    check!("columns that it adds and drops keep the rows", evolves),
    check!("the order changes", reorders),
    check!("a table is upgraded, and written to as before", upgrades),
    check!("snapshots expire, and no others", expires),
    check!("of two changes of one schema, the stale one is refused", stale),
    check!("snapshots and manifests are inspected", inspects),
];

/// Commits an action of a transaction on the table as it is now.
macro_rules! change {
    ($place:expr, $name:literal, |$begun:ident| $action:expr) => {{
        let $begun = Transaction::new(&$place.load($name).await?);
        let action = $action;
        action.apply($begun)?.commit($place.catalog.as_ref()).await?
    }};
}

async fn properties(p: Place) -> Outcome {
    p.make("made", &[&[1]]).await?;
    change!(p, "made", |begun| begun
        .update_table_properties()
        .set("a".to_string(), "1".to_string())
        .set("é".to_string(), "2".to_string()));
    let after = change!(p, "made", |begun| begun.update_table_properties().remove("a".to_string()));
    let found = ["a", "é"].map(|key| after.metadata().properties().get(key).cloned());
    same(found, [None, Some("2".to_string())])
}

async fn evolves(p: Place) -> Outcome {
    p.make("made", &[&[1]]).await?;
    let double = Type::Primitive(PrimitiveType::Double);
    change!(p, "made", |begun| begun.update_schema().add_column(AddColumn::optional("x", double)));
    p.dumps("made", &["1,n1,"]).await?;
    let namespace = p.namespace.to_url_string();
    let address = format!("/v1/tables/{namespace}.made/files");
    p.post(&address, "text/csv", "id,name,x\n2,n2,0.5\n").await?;
    p.has_ids("made", &[1, 2]).await?;
    change!(p, "made", |begun| begun.update_schema().delete_column("name"));
    p.has_ids("made", &[1, 2]).await?;
    p.dumps("made", &["1,", "2,0.5"]).await
}

async fn reorders(p: Place) -> Outcome {
    p.make("made", &[&[1]]).await?;
    let after =
        change!(p, "made", |begun| begun.replace_sort_order().asc("name", NullOrder::First));
    same(after.metadata().default_sort_order().order_id, 1)?;
    p.append(&after, numbered(&after, &[2])?).await?;
    p.has_ids("made", &[1, 2]).await
}

async fn upgrades(p: Place) -> Outcome {
    p.make("made", &[&[1]]).await?;
    let after = change!(p, "made", |begun| begun
        .upgrade_table_version()
        .set_format_version(FormatVersion::V3));
    same(after.metadata().format_version(), FormatVersion::V3)?;
    p.append(&after, numbered(&after, &[2])?).await?;
    p.has_ids("made", &[1, 2]).await?;
    p.dumps("made", &["1,n1", "2,n2"]).await
}

async fn expires(p: Place) -> Outcome {
    p.make("made", &[&[1], &[2], &[3]]).await?;
    let after = change!(p, "made", |begun| begun
        .expire_snapshots()
        .expire_older_than_ms(i64::MAX)
        .retain_last(1));
    let found: Vec<i64> = after.metadata().snapshots().map(|each| each.snapshot_id()).collect();
    same(found, after.metadata().current_snapshot_id().into_iter().collect())?;
    p.has_ids("made", &[1, 2, 3]).await
}

async fn add_column(p: &Place, to: &Table, name: &str) -> Result<Table> {
    let begun = Transaction::new(to);
    let long = Type::Primitive(PrimitiveType::Long);
    let action = begun.update_schema().add_column(AddColumn::optional(name, long));
    action.apply(begun)?.commit(p.catalog.as_ref()).await
}

async fn stale(p: Place) -> Outcome {
    let made = p.make("made", &[&[1]]).await?;
    add_column(&p, &made, "x").await?;
    // The client takes the newest state before it commits, and finds the column there.
    refused(add_column(&p, &made, "x").await, ErrorKind::PreconditionFailed)?;
    p.dumps("made", &["1,n1,"]).await
}

async fn inspects(p: Place) -> Outcome {
    use futures::TryStreamExt;

    let made = p.make("made", &[&[1], &[2]]).await?;
    let snapshots = made.inspect().snapshots().scan().await?.try_collect::<Vec<_>>().await?;
    let manifests = made.inspect().manifests().scan().await?.try_collect::<Vec<_>>().await?;
    let count = |batches: &[arrow_array::RecordBatch]| -> usize {
        batches.iter().map(|batch| batch.num_rows()).sum()
    };
    same([count(&snapshots), count(&manifests)], [2, 2])?;
    same(rows_of(made.scan().build()?).await?.len(), 2)
}
