"""Names of the types, and Scalar, which marks a parameter as a number instead of a buffer."""

from __future__ import annotations

from enigma import _core

Float32 = _core.f32
Float16 = _core.f16
BFloat16 = _core.bf16
Int8 = _core.i8
Int16 = _core.i16
Int32 = _core.i32
Int64 = _core.i64
UInt8 = _core.u8
UInt16 = _core.u16
UInt32 = _core.u32
UInt64 = _core.u64
Bool = _core.b1


class Scalar:
    """Annotates a kernel's parameter as one number, which each dispatch gives.

    ``alpha: enigma.Scalar(enigma.f32)``: in the kernel ``alpha`` is a value, in the MSL a
    ``constant float&``. Error: EnigmaError for an unknown type.
    """

    __slots__ = ("dtype",)

    def __init__(self, dtype: _core.DType | str | type) -> None:
        self.dtype = _core.dtype(dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scalar) and other.dtype == self.dtype

    def __hash__(self) -> int:
        return hash(("Scalar", self.dtype))

    def __repr__(self) -> str:
        return f"enigma.Scalar({self.dtype!r})"
