import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moraine import rows
from pyiceberg.transforms import IdentityTransform


def test_files_are_taken_in_where_they_are(catalog, namespace, folder, people):
    paths = []
    for number in range(3):
        path = folder / f"part {number}.parquet"
        pq.write_table(people.slice(number, 1), path)
        paths.append(f"file://{path}")
    table = catalog.create_table((namespace, "people"), people.schema)
    table.add_files(paths)
    loaded = catalog.load_table((namespace, "people"))
    assert rows(loaded.scan().to_arrow()) == rows(people.slice(0, 3))
    assert {task.file.file_path for task in loaded.scan().plan_files()} == set(paths)
    assert "schema.name-mapping.default" in loaded.properties


def test_a_file_is_not_taken_in_twice(catalog, namespace, folder, people):
    path = folder / "part.parquet"
    pq.write_table(people, path)
    table = catalog.create_table((namespace, "people"), people.schema)
    table.add_files([f"file://{path}"])
    with pytest.raises(ValueError, match="already referenced"):
        table.add_files([f"file://{path}"])


def test_added_files_find_their_partition(catalog, namespace, folder):
    arrow = pa.schema([("day", pa.string()), ("id", pa.int64())])
    table = catalog.create_table((namespace, "t"), arrow)
    with table.update_spec() as update:
        update.add_field("day", IdentityTransform(), "day")
    for number, day in enumerate(["mon", "tue"]):
        path = folder / f"{day}.parquet"
        pq.write_table(pa.Table.from_pylist([{"day": day, "id": number}], arrow), path)
        table.add_files([f"file://{path}"])
    loaded = catalog.load_table((namespace, "t"))
    assert len(list(loaded.scan("day = 'tue'").plan_files())) == 1
    assert rows(loaded.scan("day = 'tue'").to_arrow()) == [("tue", 1)]
