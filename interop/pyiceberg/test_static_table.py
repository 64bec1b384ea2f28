from moraine import rows
from pyiceberg.table import StaticTable


def test_each_metadata_location_opens_without_the_catalog(catalog, namespace, people):
    table = catalog.create_table((namespace, "people"), people.schema)
    locations = [table.metadata_location]
    for _ in range(3):
        table.append(people)
        locations.append(table.metadata_location)
    assert len(set(locations)) == 4
    counts = [len(StaticTable.from_metadata(place).scan().to_arrow()) for place in locations]
    assert counts == [0, 4, 8, 12]


def test_the_location_that_v1_tells_opens_too(catalog, namespace, people, v1):
    catalog.create_table((namespace, "people"), people.schema).append(people)
    place = v1.read(f"{namespace}.people")["metadata_location"]
    assert place == catalog.load_table((namespace, "people")).metadata_location
    assert rows(StaticTable.from_metadata(place).scan().to_arrow()) == rows(people)
