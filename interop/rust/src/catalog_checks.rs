use std::collections::HashMap;

use iceberg::spec::{
    ListType, MapType, NestedField, NullOrder, PrimitiveType, Schema, SortDirection, SortField,
    SortOrder, StructType, Transform, Type, UnboundPartitionSpec,
};
use iceberg::{Catalog, ErrorKind, NamespaceIdent, TableCreation};

use crate::place::{Extra, Place, numbered, refused, same};
use crate::{Check, Outcome, check};

pub const CHECKS: &[Check] = &[
    check!("a namespace is made once, found, and dropped when it is empty", namespaces),
    check!("a namespace below another is listed there", nested),
    check!("tables are listed", lists),
    check!("a table is made once, found, and dropped for good", makes),
    check!("a table is renamed, and not onto another", renames),
    check!("names with spaces, dots and accents are names", odd_names),
    check!("names with percent signs, plus signs and slashes are names", odder_names),
    check!("every type, transform and order is what it was when it was made", every_type),
    check!("a table that was dropped is registered again", registers),
    check!("a table is purged", purges),
    check!("eight writers at once lose nothing", races),
];

async fn namespaces(p: Place) -> Outcome {
    let name = NamespaceIdent::new(format!("{}_more", p.namespace.to_url_string()));
    let properties = HashMap::from([("owner".to_string(), "é".to_string())]);
    p.catalog.create_namespace(&name, properties.clone()).await?;
    let again = p.catalog.create_namespace(&name, HashMap::new()).await;
    refused(again, ErrorKind::NamespaceAlreadyExists)?;
    same(p.catalog.get_namespace(&name).await?.properties(), &properties)?;
    let creation =
        TableCreation::builder().name("t".to_string()).schema(crate::place::plain_schema()).build();
    let made = p.catalog.create_table(&name, creation).await?;
    if p.catalog.drop_namespace(&name).await.is_ok() {
        return Err("dropped with a table in it".into());
    }
    p.catalog.drop_table(made.identifier()).await?;
    p.catalog.drop_namespace(&name).await?;
    same(p.catalog.namespace_exists(&name).await?, false)?;
    refused(p.catalog.drop_namespace(&name).await, ErrorKind::NamespaceNotFound)
}

async fn nested(p: Place) -> Outcome {
    let child = NamespaceIdent::from_vec(vec![p.namespace.to_url_string(), "child".to_string()])?;
    p.catalog.create_namespace(&child, HashMap::new()).await?;
    same(p.catalog.list_namespaces(Some(&p.namespace)).await?, vec![child.clone()])?;
    same(p.catalog.namespace_exists(&child).await?, true)
}

async fn lists(p: Place) -> Outcome {
    let mut wanted = Vec::new();
    for n in 0..7 {
        let name = format!("t{n}");
        p.make(&name, &[]).await?;
        wanted.push(name);
    }
    let listed = p.catalog.list_tables(&p.namespace).await?;
    let mut found: Vec<String> = listed.iter().map(|each| each.name().to_string()).collect();
    found.sort();
    same(found, wanted)
}

async fn makes(p: Place) -> Outcome {
    let properties = vec![("a".to_string(), "b".to_string())];
    p.make_with("made", &[], Extra { properties, ..Extra::default() }).await?;
    refused(p.make("made", &[]).await, ErrorKind::TableAlreadyExists)?;
    same(p.load("made").await?.metadata().properties().get("a").cloned(), Some("b".to_string()))?;
    p.catalog.drop_table(&p.name("made")).await?;
    refused(p.load("made").await, ErrorKind::TableNotFound)?;
    same(p.catalog.table_exists(&p.name("made")).await?, false)
}

async fn renames(p: Place) -> Outcome {
    p.make("one", &[&[1]]).await?;
    p.make("other", &[&[1]]).await?;
    let onto = p.catalog.rename_table(&p.name("one"), &p.name("other")).await;
    refused(onto, ErrorKind::TableAlreadyExists)?;
    p.catalog.rename_table(&p.name("one"), &p.name("new")).await?;
    refused(p.load("one").await, ErrorKind::TableNotFound)?;
    let renamed = p.load("new").await?;
    p.append(&renamed, numbered(&renamed, &[2])?).await?;
    p.has_ids("new", &[1, 2]).await?;
    p.has_ids("other", &[1]).await
}

async fn odd_names(p: Place) -> Outcome {
    have_names(&p, &["Mixed Case é", "a.b", "a=b&c"]).await
}

async fn odder_names(p: Place) -> Outcome {
    have_names(&p, &["100%", "a+b", "a/b"]).await
}

async fn have_names(p: &Place, names: &[&str]) -> Outcome {
    for name in names {
        p.make(name, &[&[1]]).await.map_err(|error| format!("{name}: {error}"))?;
        p.has_ids(name, &[1]).await.map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

fn every_kind() -> Vec<Type> {
    use PrimitiveType::*;
    let primitive = [
        Boolean,
        Int,
        Long,
        Float,
        Double,
        Decimal { precision: 20, scale: 3 },
        Date,
        Time,
        Timestamp,
        Timestamptz,
        String,
        Uuid,
        Fixed(5),
        Binary,
    ];
    let string = || Type::Primitive(String);
    let list = ListType::new(NestedField::list_element(101, string(), false).into());
    let key = NestedField::map_key_element(102, string()).into();
    let map = MapType::new(key, NestedField::map_value_element(103, string(), false).into());
    let x = NestedField::required(104, "x", Type::Primitive(Date)).into();
    let nested = [Type::List(list), Type::Map(map), Type::Struct(StructType::new(vec![x]))];
    primitive.into_iter().map(Type::Primitive).chain(nested).collect()
}

async fn every_type(p: Place) -> Outcome {
    let fields = every_kind().into_iter().enumerate().map(|(i, kind)| {
        let id = i as i32 + 1;
        NestedField::new(id, format!("c{id}"), kind, id == 3).with_doc("é").into()
    });
    let schema = Schema::builder().with_fields(fields).with_identifier_field_ids([3]).build()?;
    let transforms = [
        (1, "one", Transform::Identity),
        (3, "three", Transform::Bucket(16)),
        (7, "seven", Transform::Year),
        (9, "nine", Transform::Hour),
        (11, "eleven", Transform::Truncate(4)),
    ];
    let mut spec = UnboundPartitionSpec::builder();
    for (id, name, transform) in transforms {
        spec = spec.add_partition_field(id, name, transform)?;
    }
    let field = SortField::builder()
        .source_id(3)
        .transform(Transform::Identity)
        .direction(SortDirection::Descending)
        .null_order(NullOrder::Last)
        .build();
    let order = SortOrder::builder().with_sort_field(field).build_unbound()?;
    let creation = TableCreation::builder()
        .name("all".to_string())
        .schema(schema)
        .partition_spec(spec.build())
        .sort_order(order)
        .build();
    p.catalog.create_table(&p.namespace, creation).await?;
    let loaded = p.load("all").await?;
    let metadata = loaded.metadata();
    let made = metadata.current_schema();
    let found: Vec<String> = made
        .as_struct()
        .fields()
        .iter()
        .map(|field| match field.field_type.as_ref() {
            Type::Primitive(kind) => kind.to_string(),
            nested => {
                if nested.is_struct() {
                    "struct".to_string()
                } else {
                    "other".to_string()
                }
            }
        })
        .collect();
    let wanted = [
        "boolean",
        "int",
        "long",
        "float",
        "double",
        "decimal(20, 3)",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "string",
        "uuid",
        "fixed(5)",
        "binary",
        "other",
        "other",
        "struct",
    ];
    same(found, wanted.iter().map(|each| each.to_string()).collect())?;
    same(made.identifier_field_ids().collect::<Vec<_>>(), vec![3])?;
    let parts = metadata.default_partition_spec().fields().iter();
    let parts: Vec<String> =
        parts.map(|part| format!("{} {}", part.name, part.transform)).collect();
    let wanted =
        ["one identity", "three bucket[16]", "seven year", "nine hour", "eleven truncate[4]"];
    same(parts, wanted.iter().map(|each| each.to_string()).collect())?;
    same(metadata.default_sort_order().fields[0].direction, SortDirection::Descending)
}

async fn registers(p: Place) -> Outcome {
    let made = p.make("one", &[&[1, 2]]).await?;
    let location = made.metadata_location_result()?.to_string();
    p.catalog.drop_table(&p.name("one")).await?;
    let again = p.catalog.register_table(&p.name("again"), location).await?;
    p.append(&again, numbered(&again, &[3])?).await?;
    p.has_ids("again", &[1, 2, 3]).await
}

async fn purges(p: Place) -> Outcome {
    p.make("one", &[&[1]]).await?;
    p.catalog.purge_table(&p.name("one")).await?;
    refused(p.load("one").await, ErrorKind::TableNotFound)
}

async fn races(p: Place) -> Outcome {
    let more = [("commit.retry.num-retries", "30"), ("commit.retry.total-timeout-ms", "60000")];
    let properties = more.map(|(key, value)| (key.to_string(), value.to_string())).to_vec();
    p.make_with("shared", &[], Extra { properties, ..Extra::default() }).await?;
    let write = async |id: i64| -> Outcome {
        for id in [2 * id, 2 * id + 1] {
            let loaded = p.load("shared").await?;
            p.append(&loaded, numbered(&loaded, &[id])?).await?;
        }
        Ok(())
    };
    futures::future::try_join_all((0..8).map(write)).await?;
    p.has_ids("shared", &(0..16).collect::<Vec<_>>()).await
}
