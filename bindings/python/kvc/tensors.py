"""Arrays of any library as kvc_tensor_t, without a copy: numpy, torch and whatever speaks DLPack or the buffer protocol."""
import array
import ctypes
from ctypes import POINTER, Structure, addressof, c_char_p, c_int, c_int32, c_int64, c_ssize_t, c_uint8, c_uint16, c_uint64, c_void_p, cast

from ._raw import kvc_tensor_t
from .constants import MAX_DIMS, DType, Status
from .errors import error_of


class _DLTensor(Structure):
    _fields_ = [("data", c_void_p), ("device_type", c_int32), ("device_id", c_int32), ("ndim", c_int32), ("code", c_uint8),
                ("bits", c_uint8), ("lanes", c_uint16), ("shape", POINTER(c_int64)), ("strides", POINTER(c_int64)),
                ("byte_offset", c_uint64)]


class _PyBuffer(Structure):
    _fields_ = [("buf", c_void_p), ("obj", c_void_p), ("len", c_ssize_t), ("itemsize", c_ssize_t), ("readonly", c_int),
                ("ndim", c_int), ("format", c_char_p), ("shape", POINTER(c_ssize_t)), ("strides", POINTER(c_ssize_t)),
                ("suboffsets", POINTER(c_ssize_t)), ("internal", c_void_p)]


class _Buffer:
    """A view of an object's buffer, released with this object."""

    def __init__(self, owner, writable):
        self.view = _PyBuffer()
        # PyBUF_STRIDES | PyBUF_FORMAT, and PyBUF_WRITABLE where kvc is to write.
        try:
            _get_buffer(owner, ctypes.byref(self.view), 0x18 | 0x4 | (0x1 if writable else 0))
        except (TypeError, ValueError, BufferError) as error:
            raise error_of(Status.DTYPE, f"{type(owner).__name__} gives no {'writable ' if writable else ''}array of numbers: "
                           f"{error}") from error

    def __del__(self):
        _release_buffer(ctypes.byref(self.view))


_api = ctypes.pythonapi
_get_buffer = ctypes.PYFUNCTYPE(c_int, ctypes.py_object, c_void_p, c_int)(("PyObject_GetBuffer", _api))
_release_buffer = ctypes.PYFUNCTYPE(None, c_void_p)(("PyBuffer_Release", _api))
_capsule_pointer = ctypes.PYFUNCTYPE(c_void_p, ctypes.py_object, c_char_p)(("PyCapsule_GetPointer", _api))

_DLPACK_CPU = (1, 3, 11)  # memory that a CPU reads: plain, pinned by CUDA, pinned by ROCm
_FORMATS = {b"f": DType.F32, b"e": DType.F16, b"H": DType.BF16, b"B": DType.U8}
_DLPACK = {(2, 32): DType.F32, (2, 16): DType.F16, (4, 16): DType.BF16, (1, 8): DType.U8}
SIZES = {DType.F32: 4, DType.F16: 2, DType.BF16: 2, DType.U8: 1}


class Tensor:
    """A kvc_tensor_t over somebody's memory, and what keeps that memory alive."""

    __slots__ = ("c", "keep")

    def __init__(self, data, dtype, shape, strides, keep):
        if not 1 <= len(shape) <= MAX_DIMS:
            raise error_of(Status.SHAPE, f"a tensor has 1..{MAX_DIMS} dimensions, not {len(shape)}")
        self.keep = keep
        self.c = kvc_tensor_t(data=data, dtype=dtype, n_dims=len(shape))
        last = 0
        for i, (n, stride) in enumerate(zip(shape, strides)):
            if stride < 0:
                raise error_of(Status.SHAPE, f"stride {stride} of dimension {i} is negative; give a copy of the array")
            self.c.shape[i], self.c.strides[i] = n, stride
            last += (n - 1) * stride
        # kvc takes "all strides 0" for compact; a tensor of single elements is.
        self.c.size = (last + 1) * SIZES[dtype] if all(shape) else 0

    @property
    def shape(self):
        return tuple(self.c.shape[:self.c.n_dims])


def _from_dlpack(owner):
    device = owner.__dlpack_device__()[0]
    if device not in _DLPACK_CPU:
        raise error_of(Status.UNSUPPORTED, f"the tensor lies on a device (DLPack type {int(device)}); copy it to the host first")
    capsule = owner.__dlpack__()
    d = cast(_capsule_pointer(capsule, b"dltensor"), POINTER(_DLTensor)).contents
    dtype = _DLPACK.get((d.code, d.bits)) if d.lanes == 1 else None
    if dtype is None:
        raise error_of(Status.DTYPE, f"DLPack type code {d.code} with {d.bits} bits is none of float32, float16, bfloat16, uint8")
    shape = d.shape[:d.ndim]
    strides = d.strides[:d.ndim] if d.strides else _compact(shape)
    return Tensor((d.data or 0) + d.byte_offset, dtype, shape, strides, (owner, capsule))


def _from_buffer(owner, writable):
    buffer = _Buffer(owner, writable)
    view = buffer.view
    dtype = _FORMATS.get((view.format or b"B").lstrip(b"<=@"))
    if dtype is None:
        raise error_of(Status.DTYPE, f"an array of format '{(view.format or b'B').decode()}' is none of float32, float16, uint8, "
                       "and uint16 for the bits of bfloat16")
    shape, strides = view.shape[:view.ndim], view.strides[:view.ndim]
    return Tensor(view.buf, dtype, shape, [s // view.itemsize for s in strides], buffer)


def _compact(shape):
    strides, step = [], 1
    for n in reversed(shape):
        strides.insert(0, step)
        step *= n
    return strides


def tensor_of(owner, writable=False):
    """The Tensor over an array's own memory. bfloat16 comes through DLPack (torch, jax) or as the uint16 of its bits (numpy)."""
    if isinstance(owner, Tensor):
        return owner
    if hasattr(owner, "__dlpack__") and not hasattr(owner, "__array_interface__"):
        return _from_dlpack(owner)
    return _from_buffer(owner, writable)


def tensors_of(owners, writable=False):
    """(C array, number, what to keep alive) of a list of arrays."""
    tensors = [tensor_of(owner, writable) for owner in owners]
    return (kvc_tensor_t * len(tensors))(*[t.c for t in tensors]), len(tensors), tensors


def empty(shape, dtype):
    """A new numpy array that kvc writes to."""
    try:
        import numpy
    except ImportError as error:
        raise error_of(Status.UNSUPPORTED, "without numpy, give an array to write to (out=...)") from error
    kinds = {DType.F32: numpy.float32, DType.F16: numpy.float16, DType.BF16: numpy.uint16, DType.U8: numpy.uint8}
    return numpy.empty(shape, kinds[DType(dtype)])


def tokens_of(tokens):
    """(address, number, what to keep alive) of token ids: a list, an array('i'), a numpy array of int32 or of larger integers."""
    if not isinstance(tokens, array.array) or tokens.typecode != "i":
        interface = getattr(tokens, "__array_interface__", None)
        if interface and interface["typestr"] == "<i4" and len(interface["shape"]) == 1 and not interface.get("strides"):
            return interface["data"][0] or addressof(_NO_TOKEN), interface["shape"][0], tokens
        try:
            tokens = array.array("i", tokens.tolist() if hasattr(tokens, "tolist") else tokens)
        except OverflowError as error:
            raise error_of(Status.TOKEN, f"a token id does not fit int32: {error}") from error
    address, n = tokens.buffer_info()
    return address or addressof(_NO_TOKEN), n, tokens


_NO_TOKEN = c_int32()
