use iceberg::expr::{Predicate, Reference};
use iceberg::spec::{Datum, FormatVersion, Transform, UnboundPartitionSpec};
use iceberg::{Catalog, ErrorKind, TableCreation};

use crate::place::{Extra, Place, ids_of, plain_schema, rows_of, same};
use crate::{Check, Outcome, check};

pub const CHECKS: &[Check] = &[
    check!("rows that it appends are read back, and dumped", appends),
    check!("rows of format version 1 and 3 are read back, and dumped", other_versions),
    check!("a table is made in the format version that its creation names", made_versions),
    check!("rows that are uploaded are read, with filters, and by older snapshots", reads),
    check!("a filter by the start of a text finds its rows", reads_by_start),
    check!("a filter finds the one value of a column whose other value is null", reads_half_null),
    check!("files without field ids are read, registered by path", reads_unnumbered),
    check!("rows are written into partitions of each transform, pruned and dumped", partitions),
    check!("rows that are uploaded into partitions are read with filters", reads_partitions),
    check!("columns that /v1 adds and renames are read", reads_evolved),
    check!(
        "columns that /v1 renames after the last commit are found by their new names",
        finds_renamed
    ),
    check!("a tag and a branch of /v1 are read", reads_refs),
];

async fn appends(p: Place) -> Outcome {
    p.make("made", &[&[1, 2, 3], &[4]]).await?;
    p.has_ids("made", &[1, 2, 3, 4]).await?;
    p.dumps("made", &["1,n1", "2,n2", "3,n3", "4,n4"]).await
}

async fn other_versions(p: Place) -> Outcome {
    for version in [FormatVersion::V1, FormatVersion::V3] {
        let name = format!("v{}", version as u8);
        let properties = vec![("format-version".to_string(), (version as u8).to_string())];
        let extra = Extra { properties, ..Extra::default() };
        let made = p.make_with(&name, &[&[1], &[2]], extra).await;
        let made = made.map_err(|error| format!("{version}: {error}"))?;
        same(made.metadata().format_version(), version)?;
        p.has_ids(&name, &[1, 2]).await?;
        p.dumps(&name, &["1,n1", "2,n2"]).await?;
    }
    Ok(())
}

async fn made_versions(p: Place) -> Outcome {
    let creation = TableCreation::builder()
        .name("made".to_string())
        .schema(plain_schema())
        .format_version(FormatVersion::V3)
        .build();
    let made = p.catalog.create_table(&p.namespace, creation).await?;
    same(made.metadata().format_version(), FormatVersion::V3)
}

async fn found(p: &Place, name: &str, filter: Predicate, wanted: &[i64]) -> Outcome {
    let scan = p.load(name).await?.scan().with_filter(filter.clone()).build()?;
    same(ids_of(scan).await?, wanted.to_vec()).map_err(|error| format!("{filter}: {error}").into())
}

async fn reads(p: Place) -> Outcome {
    p.make_ours("ours", "", &["id,name\n1,a\n2,\n3,b\n", "id,name\n30,c\n40,d\n"]).await?;
    p.has_ids("ours", &[1, 2, 3, 30, 40]).await?;
    let id = || Reference::new("id");
    let name = || Reference::new("name");
    found(&p, "ours", id().greater_than(Datum::long(30)), &[40]).await?;
    found(&p, "ours", name().is_null(), &[2]).await?;
    found(&p, "ours", name().is_in(["a", "d"].map(Datum::string)), &[1, 40]).await?;
    let both = name().equal_to(Datum::string("c")).and(!id().equal_to(Datum::long(1)));
    found(&p, "ours", both, &[30]).await?;
    let loaded = p.load("ours").await?;
    let first = loaded.metadata().history()[0].snapshot_id;
    same(ids_of(loaded.scan().snapshot_id(first).build()?).await?, vec![1, 2, 3])?;
    let columns: Vec<usize> = rows_of(loaded.scan().select(["name"]).build()?)
        .await?
        .iter()
        .map(|rows| rows.num_columns())
        .collect();
    same(columns, vec![1, 1])
}

async fn reads_by_start(p: Place) -> Outcome {
    p.make_ours("ours", "", &["id,name\n1,car\n2,dog\n"]).await?;
    found(&p, "ours", Reference::new("name").starts_with(Datum::string("ca")), &[1]).await
}

async fn reads_half_null(p: Place) -> Outcome {
    p.make_ours("ours", "", &["id,name\n1,a\n2,\n"]).await?;
    found(&p, "ours", Reference::new("name").equal_to(Datum::string("a")), &[1]).await
}

async fn reads_unnumbered(p: Place) -> Outcome {
    p.make_ours("ours", "", &[]).await?;
    let namespace = p.namespace.to_url_string();
    let path = write_unnumbered(&namespace)?;
    let files = format!(r#"{{"files":[{{"path":"file://{path}"}}]}}"#);
    p.post(&format!("/v1/tables/{namespace}.ours/files"), "application/json", &files).await?;
    p.has_ids("ours", &[5, 6]).await?;
    found(&p, "ours", Reference::new("name").equal_to(Datum::string("n6")), &[6]).await
}

/// A file as other programs write them, in a folder from which files may be registered.
fn write_unnumbered(name: &str) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    let path = format!("{}/{name}.parquet", std::env::var("MORAINE_DATA")?);
    let rows = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![5, 6])) as ArrayRef),
        ("name", Arc::new(StringArray::from(vec!["n5", "n6"]))),
    ])?;
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&path)?, rows.schema(), None)?;
    writer.write(&rows)?;
    writer.close()?;
    Ok(path)
}

async fn partitions(p: Place) -> Outcome {
    let transforms = [
        ("identity", Transform::Identity),
        ("bucket", Transform::Bucket(3)),
        ("truncate", Transform::Truncate(1)),
    ];
    for (name, transform) in transforms {
        let spec = UnboundPartitionSpec::builder().add_partition_field(2, "part", transform)?;
        let extra = Extra { partitioning: Some(spec.build()), ..Extra::default() };
        let made = p.make_with(name, &[&[1, 2, 30], &[31]], extra).await;
        made.map_err(|error| format!("{name}: {error}"))?;
        p.has_ids(name, &[1, 2, 30, 31]).await?;
        found(&p, name, Reference::new("name").equal_to(Datum::string("n30")), &[30]).await?;
        p.dumps(name, &["1,n1", "2,n2", "30,n30", "31,n31"]).await?;
    }
    Ok(())
}

async fn reads_partitions(p: Place) -> Outcome {
    let by = r#","partitioning":[{"column":"name","transform":"identity"},{"column":"id","transform":"bucket[4]"}]"#;
    p.make_ours("ours", by, &["id,name\n1,a\n2,b\n3,\n", "id,name\n4,a/b %\n"]).await?;
    p.has_ids("ours", &[1, 2, 3, 4]).await?;
    found(&p, "ours", Reference::new("name").equal_to(Datum::string("a/b %")), &[4]).await?;
    found(&p, "ours", Reference::new("name").is_null(), &[3]).await
}

async fn reads_evolved(p: Place) -> Outcome {
    p.make_ours("ours", "", &["id,name\n1,a\n"]).await?;
    let namespace = p.namespace.to_url_string();
    let address = format!("/v1/tables/{namespace}.ours");
    let path = write_unnumbered(&namespace)?;
    let files = format!(r#"{{"files":[{{"path":"file://{path}"}}]}}"#);
    p.post(&format!("{address}/files"), "application/json", &files).await?;
    let changes = r#"{"changes":[{"op":"rename","name":"name","to":"label"},{"op":"add","column":{"name":"more","type":"int"}}]}"#;
    p.post(&format!("{address}/schemas"), "application/json", changes).await?;
    p.has_ids("ours", &[1, 5, 6]).await?;
    p.post(&format!("{address}/files"), "text/csv", "id,label,more\n7,n7,70\n").await?;
    p.has_ids("ours", &[1, 5, 6, 7]).await?;
    found(&p, "ours", Reference::new("label").equal_to(Datum::string("n5")), &[5]).await?;
    found(&p, "ours", Reference::new("more").is_null(), &[1, 5, 6]).await
}

async fn finds_renamed(p: Place) -> Outcome {
    p.make_ours("ours", "", &["id,name\n1,a\n2,b\n"]).await?;
    let address = format!("/v1/tables/{}.ours/schemas", p.namespace.to_url_string());
    let changes = r#"{"changes":[{"op":"rename","name":"name","to":"label"}]}"#;
    p.post(&address, "application/json", changes).await?;
    found(&p, "ours", Reference::new("label").equal_to(Datum::string("a")), &[1]).await
}

async fn reads_refs(p: Place) -> Outcome {
    let made = p.make("made", &[&[1], &[2]]).await?;
    let first = made.metadata().history()[0].snapshot_id;
    let table = format!("/v1/tables/{}.made", p.namespace.to_url_string());
    for (name, kind) in [("v1", "tag"), ("try", "branch")] {
        let body = format!(r#"{{"type":"{kind}","snapshot_id":"{first}"}}"#);
        let path = format!("{table}/refs/{name}");
        p.send(reqwest::Method::PUT, &path, "application/json", &body).await?;
    }
    let loaded = p.load("made").await?;
    for name in ["v1", "try"] {
        let snapshot = loaded.metadata().snapshot_for_ref(name).ok_or("no such ref")?;
        let scan = loaded.scan().snapshot_id(snapshot.snapshot_id()).build()?;
        same(ids_of(scan).await?, vec![1])?;
    }
    match loaded.scan().snapshot_id(1).build() {
        Err(error) => same(error.kind(), ErrorKind::DataInvalid),
        Ok(_) => Err("a snapshot that is not there".into()),
    }
}
