"""The contract: what each API object holds, said once, in one YAML file per object.

From it come the typed JSON read and the columns (`transforms.flatten`), the loader's hints and comments
(`pipelines.source`), the dbt source file and the data dictionary (`docs/generate.py`). A contract file mirrors
the object's JSON; docs/add-a-stream.md explains its words. The objects are the vendor's
(`/developers/documentation/responses`).
"""

from transforms.contract.files import FOLDER, ContractError, contract, contracts, read_contract
from transforms.contract.language import (
    Column,
    Contract,
    Element,
    Items,
    KeyColumn,
    LeftOut,
    ListOf,
    Nested,
    Node,
    Table,
    Type,
    Value,
    Whole,
)

__all__ = [
    "FOLDER",
    "Column",
    "Contract",
    "ContractError",
    "Element",
    "Items",
    "KeyColumn",
    "LeftOut",
    "ListOf",
    "Nested",
    "Node",
    "Table",
    "Type",
    "Value",
    "Whole",
    "contract",
    "contracts",
    "read_contract",
]
