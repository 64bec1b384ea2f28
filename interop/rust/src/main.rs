//! Holds iceberg-rust's client of REST catalogs against a running Moraine: one line for each check.

mod catalog_checks;
mod change_checks;
mod place;
mod row_checks;

use std::future::Future;
use std::pin::Pin;

use place::{Place, connect};

pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;
pub type Check = (&'static str, fn(Place) -> Pin<Box<dyn Future<Output = Outcome> + Send>>);

/// A check as the list of its group holds it.
#[macro_export]
macro_rules! check {
    ($name:literal, $run:path) => {
        ($name, |place| Box::pin($run(place)))
    };
}

#[tokio::main]
async fn main() {
    let catalog = connect().await.expect("the catalog answers");
    let groups = [catalog_checks::CHECKS, row_checks::CHECKS, change_checks::CHECKS];
    for (n, (name, run)) in groups.into_iter().flatten().enumerate() {
        let outcome = match Place::open(catalog.clone(), format!("rust_{n}")).await {
            // A task of its own, so that a panic ends one check only.
            Ok(place) => tokio::spawn(run(place)).await.unwrap_or_else(|panic| Err(panic.into())),
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(()) => println!("passed {name}"),
            Err(error) => println!("failed {name}: {}", one_line(&error.to_string())),
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
