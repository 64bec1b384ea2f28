use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch, StringArray};
use futures::TryStreamExt;
use iceberg::arrow::RecordBatchPartitionSplitter;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::io::LocalFsStorageFactory;
use iceberg::spec::{
    DataFileFormat, NestedField, PrimitiveType, Schema, Type, UnboundPartitionSpec,
};
use iceberg::table::Table;
use iceberg::transaction::{ApplyTransactionAction, Transaction};
use iceberg::writer::base_writer::data_file_writer::DataFileWriterBuilder;
use iceberg::writer::file_writer::ParquetWriterBuilder;
use iceberg::writer::file_writer::location_generator::{
    DefaultFileNameGenerator, DefaultLocationGenerator,
};
use iceberg::writer::file_writer::rolling_writer::RollingFileWriterBuilder;
use iceberg::writer::partitioning::PartitioningWriter;
use iceberg::writer::partitioning::fanout_writer::FanoutWriter;
use iceberg::writer::{IcebergWriter, IcebergWriterBuilder};
use iceberg::{
    Catalog, CatalogBuilder, Error, ErrorKind, NamespaceIdent, Result, TableCreation, TableIdent,
};
use iceberg_catalog_rest::{RestCatalog, RestCatalogBuilder};
use parquet::file::properties::WriterProperties;

use crate::Outcome;

/// A check's own namespace, and what it talks to.
pub struct Place {
    pub catalog: Arc<RestCatalog>,
    pub namespace: NamespaceIdent,
    /// Address of the service.
    pub url: String,
}

pub async fn connect() -> Result<Arc<RestCatalog>> {
    let properties = HashMap::from([("uri".to_string(), format!("{}/iceberg", service_url()))]);
    let builder =
        RestCatalogBuilder::default().with_storage_factory(Arc::new(LocalFsStorageFactory));
    Ok(Arc::new(builder.load("moraine", properties).await?))
}

fn service_url() -> String {
    std::env::var("MORAINE_URL").expect("MORAINE_URL is the address of the service")
}

/// The table of most checks: a number and a name.
pub fn plain_schema() -> Schema {
    let long = Type::Primitive(PrimitiveType::Long);
    let string = Type::Primitive(PrimitiveType::String);
    Schema::builder()
        .with_fields([
            NestedField::optional(1, "id", long).into(),
            NestedField::optional(2, "name", string).into(),
        ])
        .build()
        .expect("the schema is whole")
}

#[derive(Default)]
pub struct Extra {
    pub partitioning: Option<UnboundPartitionSpec>,
    pub properties: Vec<(String, String)>,
}

impl Place {
    pub async fn open(catalog: Arc<RestCatalog>, name: String) -> Result<Self> {
        let namespace = NamespaceIdent::new(name);
        catalog.create_namespace(&namespace, HashMap::new()).await?;
        Ok(Self { catalog, namespace, url: service_url() })
    }

    pub fn name(&self, table: &str) -> TableIdent {
        TableIdent::new(self.namespace.clone(), table.to_string())
    }

    pub async fn load(&self, name: &str) -> Result<Table> {
        self.catalog.load_table(&self.name(name)).await
    }

    /// Makes a table, and appends each list of ids by a commit of its own.
    pub async fn make(&self, name: &str, batches: &[&[i64]]) -> Result<Table> {
        self.make_with(name, batches, Extra::default()).await
    }

    pub async fn make_with(&self, name: &str, batches: &[&[i64]], extra: Extra) -> Result<Table> {
        let creation = TableCreation::builder()
            .name(name.to_string())
            .schema(plain_schema())
            .partition_spec_opt(extra.partitioning)
            .properties(extra.properties)
            .build();
        let mut made = self.catalog.create_table(&self.namespace, creation).await?;
        for ids in batches {
            made = self.append(&made, numbered(&made, ids)?).await?;
        }
        Ok(made)
    }

    pub async fn append(&self, to: &Table, rows: RecordBatch) -> Result<Table> {
        let metadata = to.metadata();
        let schema = metadata.current_schema().clone();
        let unique = format!("{:x}", rand_suffix());
        let writer =
            DataFileWriterBuilder::new(RollingFileWriterBuilder::new_with_default_file_size(
                ParquetWriterBuilder::new(WriterProperties::default(), schema.clone()),
                to.file_io().clone(),
                DefaultLocationGenerator::new(metadata)?,
                DefaultFileNameGenerator::new(unique, None, DataFileFormat::Parquet),
            ));
        let spec = metadata.default_partition_spec();
        let files = if spec.is_unpartitioned() {
            let mut writer = writer.build(None).await?;
            writer.write(rows).await?;
            writer.close().await?
        } else {
            let splitter =
                RecordBatchPartitionSplitter::try_new_with_computed_values(schema, spec.clone())?;
            let mut writer = FanoutWriter::new(writer);
            for (key, part) in splitter.split(&rows)? {
                writer.write(key, part).await?;
            }
            writer.close().await?
        };
        let begun = Transaction::new(to);
        let begun = begun.fast_append().add_data_files(files).apply(begun)?;
        begun.commit(self.catalog.as_ref()).await
    }

    /// Holds that a scan of the table as it is now finds these ids, in any order.
    pub async fn has_ids(&self, name: &str, wanted: &[i64]) -> Outcome {
        same(ids_of(self.load(name).await?.scan().build()?).await?, wanted.to_vec())
    }

    /// Holds that the service dumps these lines of CSV below the header, in any order.
    pub async fn dumps(&self, name: &str, wanted: &[&str]) -> Outcome {
        let table = format!("{}.{name}", self.namespace.to_url_string());
        let path = format!("/v1/tables/{table}/dump?format=csv");
        let reply = reqwest::get(format!("{}{path}", self.url)).await?;
        let text = answer(reply).await?;
        let mut lines: Vec<&str> = text.lines().skip(1).collect();
        lines.sort();
        same(lines, wanted.to_vec())
    }

    /// Makes a table over /v1, and uploads each text of CSV by a commit of its own.
    pub async fn make_ours(&self, name: &str, more: &str, texts: &[&str]) -> Outcome {
        let namespace = self.namespace.to_url_string();
        let columns = r#"[{"name":"id","type":"long"},{"name":"name","type":"string"}]"#;
        let table = format!(
            r#"{{"name":"{name}","namespace":"{namespace}","schema":{{"columns":{columns}}}{more}}}"#
        );
        self.post("/v1/tables", "application/json", &table).await?;
        for text in texts {
            self.post(&format!("/v1/tables/{namespace}.{name}/files"), "text/csv", text).await?;
        }
        Ok(())
    }

    pub async fn post(
        &self,
        path: &str,
        kind: &str,
        body: &str,
    ) -> std::result::Result<String, Box<dyn std::error::Error + Send + Sync>> {
        self.send(reqwest::Method::POST, path, kind, body).await
    }

    pub async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        kind: &str,
        body: &str,
    ) -> std::result::Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let request = reqwest::Client::new()
            .request(method, format!("{}{path}", self.url))
            .header("content-type", kind)
            .body(body.to_string());
        answer(request.send().await?).await
    }
}

async fn answer(
    reply: reqwest::Response,
) -> std::result::Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let status = reply.status();
    let text = reply.text().await?;
    if status.is_success() { Ok(text) } else { Err(format!("{status} {text}").into()) }
}

/// Rows whose names are made of their ids, in the table's schema of `id` and `name`.
pub fn numbered(table: &Table, ids: &[i64]) -> Result<RecordBatch> {
    let schema = Arc::new(schema_to_arrow_schema(table.metadata().current_schema())?);
    let names: Vec<String> = ids.iter().map(|id| format!("n{id}")).collect();
    RecordBatch::try_new(
        schema,
        vec![Arc::new(Int64Array::from(ids.to_vec())), Arc::new(StringArray::from(names))],
    )
    .map_err(|error| Error::new(ErrorKind::Unexpected, error.to_string()))
}

pub async fn ids_of(scan: iceberg::scan::TableScan) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    for rows in rows_of(scan).await? {
        let at = rows.schema().index_of("id").expect("the scan has ids");
        found.extend(rows.column(at).as_primitive::<Int64Type>().values());
    }
    found.sort();
    Ok(found)
}

pub async fn rows_of(scan: iceberg::scan::TableScan) -> Result<Vec<RecordBatch>> {
    scan.to_arrow().await?.try_collect().await
}

pub fn same<T: PartialEq + Debug>(found: T, wanted: T) -> Outcome {
    if found == wanted { Ok(()) } else { Err(format!("found {found:?}, not {wanted:?}").into()) }
}

/// Holds that it was refused for this reason.
pub fn refused<T>(outcome: Result<T>, wanted: ErrorKind) -> Outcome {
    match outcome {
        Err(error) if error.kind() == wanted => Ok(()),
        Err(error) => Err(format!("{error}, not {wanted:?}").into()),
        Ok(_) => Err(format!("taken, not {wanted:?}").into()),
    }
}

/// Names of files must not be taken twice.
fn rand_suffix() -> u128 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_nanos()) + u128::from(WRITTEN.fetch_add(1, Ordering::Relaxed))
}
