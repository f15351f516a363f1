"""The model describes itself, for the reference pages."""

from __future__ import annotations

import msgspec.inspect as mi

from earlyboot.model.shape import root


def test_every_key_has_a_description() -> None:
    groups = (field for field in root().fields if field.encode_name != "motd")
    tables = [field.type.value_type if isinstance(field.type, mi.DictType) else field.type for field in groups]
    for table in tables:
        assert isinstance(table, mi.StructType)
        for field in table.fields:
            assert isinstance(field.type, mi.Metadata), field.encode_name
            assert field.type.extra_json_schema, field.encode_name
            assert field.type.extra_json_schema["description"].endswith((".", ";")), field.encode_name
