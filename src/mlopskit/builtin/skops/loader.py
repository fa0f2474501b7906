"""Load a scikit-learn estimator from a canonical skops archive, and score with it.

This one file travels to targets: it imports the standard library, and scikit-learn, skops, numpy (pandas, polars) where
it uses them. It trusts nothing in the archive. In this order it checks
1. the container: the bytes must be exactly those that `pack` writes for its members, within limits on count and size;
2. every array: plain numbers or text, exactly as long as its header says;
3. every node of schema.json: only the kinds and types named here, before anything of that name is imported;
4. the tables of trees, before they are handed to compiled code, which follows them without looking;
5. the loaded objects: whatever else compiled code, or a request's text, would reach through them.
Whatever it dislikes is a ValueError that names it.
"""

# ruff: noqa: SLF001, PLR2004 -- scikit-learn keeps in private attributes what its compiled code reads; shapes are figures

from __future__ import annotations

import functools
import io
import json
import math
import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

FILE = "model.skops"
SCHEMA = "schema.json"
PROTOCOL = 2  # of skops: earlier ones are read by other, older code

MAX_MEMBERS = 0xFFFE
MAX_MEMBER = 1 << 30
MAX_TOTAL = 2 << 30
MAX_RATIO = 100  # of a whole archive that is larger than FREE when inflated
FREE = 64 << 20
MAX_DEPTH = 64
MAX_DIMENSION = 1 << 31
MAX_SCHEMA = 256 << 20
MAX_DEGREE = 64

# --- names: what may stand in an archive ---------------------------------------------------------------------------


def _names(table: str) -> frozenset[str]:
    lines = [line.partition(":") for line in table.splitlines()]
    return frozenset(f"{module.strip()}.{name}" for module, _, names in lines for name in names.split())


# scikit-learn's classifiers, regressors and transformers whose prediction runs in Python and numpy, or whose arrays
# are checked below. Not here: what never predicts, and what hands unchecked arrays to compiled code.
ESTIMATORS = _names(
    """
    sklearn.calibration: CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration _TemperatureScaling
    sklearn.compose._column_transformer: ColumnTransformer make_column_selector
    sklearn.compose._target: TransformedTargetRegressor
    sklearn.cross_decomposition._pls: CCA PLSCanonical PLSRegression PLSSVD
    sklearn.decomposition._factor_analysis: FactorAnalysis
    sklearn.decomposition._fastica: FastICA
    sklearn.decomposition._incremental_pca: IncrementalPCA
    sklearn.decomposition._kernel_pca: KernelPCA
    sklearn.decomposition._pca: PCA
    sklearn.decomposition._truncated_svd: TruncatedSVD
    sklearn.discriminant_analysis: LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis
    sklearn.dummy: DummyClassifier DummyRegressor
    sklearn.ensemble._bagging: BaggingClassifier BaggingRegressor
    sklearn.ensemble._forest: ExtraTreesClassifier ExtraTreesRegressor RandomForestClassifier RandomForestRegressor
    sklearn.ensemble._gb: GradientBoostingClassifier GradientBoostingRegressor
    sklearn.ensemble._hist_gradient_boosting.gradient_boosting: HistGradientBoostingClassifier \
        HistGradientBoostingRegressor
    sklearn.ensemble._hist_gradient_boosting.binning: _BinMapper
    sklearn.ensemble._hist_gradient_boosting.predictor: TreePredictor
    sklearn.ensemble._stacking: StackingClassifier StackingRegressor
    sklearn.ensemble._voting: VotingClassifier VotingRegressor
    sklearn.ensemble._weight_boosting: AdaBoostClassifier AdaBoostRegressor
    sklearn.feature_extraction.text: CountVectorizer HashingVectorizer TfidfTransformer TfidfVectorizer
    sklearn.feature_selection._from_model: SelectFromModel
    sklearn.feature_selection._rfe: RFE RFECV
    sklearn.feature_selection._sequential: SequentialFeatureSelector
    sklearn.feature_selection._univariate_selection: GenericUnivariateSelect SelectFdr SelectFpr SelectFwe \
        SelectKBest SelectPercentile
    sklearn.feature_selection._variance_threshold: VarianceThreshold
    sklearn.frozen._frozen: FrozenEstimator
    sklearn.gaussian_process._gpc: GaussianProcessClassifier _BinaryGaussianProcessClassifierLaplace
    sklearn.gaussian_process._gpr: GaussianProcessRegressor
    sklearn.gaussian_process.kernels: CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Matern \
        PairwiseKernel Product RBF RationalQuadratic Sum WhiteKernel
    sklearn.impute._base: MissingIndicator SimpleImputer
    sklearn.impute._knn: KNNImputer
    sklearn.isotonic: IsotonicRegression
    sklearn.kernel_approximation: AdditiveChi2Sampler Nystroem RBFSampler SkewedChi2Sampler
    sklearn.kernel_ridge: KernelRidge
    sklearn.linear_model._base: LinearRegression
    sklearn.linear_model._bayes: ARDRegression BayesianRidge
    sklearn.linear_model._coordinate_descent: ElasticNet ElasticNetCV Lasso LassoCV
    sklearn.linear_model._glm.glm: GammaRegressor PoissonRegressor TweedieRegressor
    sklearn.linear_model._huber: HuberRegressor
    sklearn.linear_model._least_angle: Lars LarsCV LassoLars LassoLarsCV LassoLarsIC
    sklearn.linear_model._logistic: LogisticRegression LogisticRegressionCV
    sklearn.linear_model._omp: OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV
    sklearn.linear_model._passive_aggressive: PassiveAggressiveClassifier PassiveAggressiveRegressor
    sklearn.linear_model._perceptron: Perceptron
    sklearn.linear_model._quantile: QuantileRegressor
    sklearn.linear_model._ransac: RANSACRegressor
    sklearn.linear_model._ridge: Ridge RidgeCV RidgeClassifier RidgeClassifierCV
    sklearn.linear_model._stochastic_gradient: SGDClassifier SGDRegressor
    sklearn.linear_model._theil_sen: TheilSenRegressor
    sklearn.model_selection._classification_threshold: FixedThresholdClassifier TunedThresholdClassifierCV
    sklearn.model_selection._search: GridSearchCV RandomizedSearchCV
    sklearn.multiclass: OneVsOneClassifier OneVsRestClassifier OutputCodeClassifier _ConstantPredictor
    sklearn.naive_bayes: BernoulliNB CategoricalNB ComplementNB GaussianNB MultinomialNB
    sklearn.neighbors._classification: KNeighborsClassifier
    sklearn.neighbors._nearest_centroid: NearestCentroid
    sklearn.neighbors._regression: KNeighborsRegressor
    sklearn.neural_network._multilayer_perceptron: MLPClassifier MLPRegressor
    sklearn.pipeline: FeatureUnion Pipeline
    sklearn.preprocessing._data: Binarizer KernelCenterer MaxAbsScaler MinMaxScaler Normalizer PowerTransformer \
        QuantileTransformer RobustScaler StandardScaler
    sklearn.preprocessing._discretization: KBinsDiscretizer
    sklearn.preprocessing._encoders: OneHotEncoder OrdinalEncoder
    sklearn.preprocessing._function_transformer: FunctionTransformer
    sklearn.preprocessing._label: LabelBinarizer LabelEncoder
    sklearn.preprocessing._polynomial: PolynomialFeatures
    sklearn.preprocessing._target_encoder: TargetEncoder
    sklearn.random_projection: GaussianRandomProjection SparseRandomProjection
    sklearn.semi_supervised._self_training: SelfTrainingClassifier
    sklearn.svm._classes: LinearSVC LinearSVR NuSVC NuSVR SVC SVR
    sklearn.tree._classes: DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor
    """
)
PARTS = _names(
    """
    sklearn.metrics._scorer: _CurveScorer
    sklearn._loss.link: HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit
    sklearn._loss.loss: AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss HalfMultinomialLoss \
        HalfPoissonLoss HalfSquaredError HalfTweedieLoss HalfTweedieLossIdentity HuberLoss PinballLoss
    """
)
LOSSES = _names(
    """
    sklearn._loss._loss: CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfGammaLoss CyHalfMultinomialLoss \
        CyHalfPoissonLoss CyHalfSquaredError CyHalfTweedieLoss CyHalfTweedieLossIdentity CyHuberLoss CyPinballLoss
    sklearn.linear_model._sgd_fast: EpsilonInsensitive Hinge ModifiedHuber SquaredEpsilonInsensitive SquaredHinge
    """
)
FUNCTIONS = _names(
    """
    numpy: absolute arcsinh cbrt ceil cos exp exp2 expm1 floor log log10 log1p log2 negative reciprocal rint sign \
        sin sqrt square tan tanh trunc
    sklearn.feature_selection._univariate_selection: chi2 f_classif f_regression r_regression
    sklearn.feature_selection._mutual_info: mutual_info_classif mutual_info_regression
    sklearn.metrics._classification: accuracy_score balanced_accuracy_score cohen_kappa_score f1_score fbeta_score \
        jaccard_score matthews_corrcoef precision_score recall_score
    """
)
SCALARS = _names("numpy: bool float16 float32 float64 int16 int32 int64 int8 str_ uint16 uint32 uint64 uint8")
KEY_TYPES = SCALARS - {"numpy.bool"} | _names("builtins: float int str")
SPARSE = _names(
    """
    scipy.sparse._csc: csc_array csc_matrix
    scipy.sparse._csr: csr_array csr_matrix
    """
)

TYPES: Mapping[str, frozenset[str]] = {
    "ConstructorFromReduceNode": frozenset({"builtins.frozenset"}),
    "DTypeNode": frozenset({"numpy.dtype"}),
    "DictNode": frozenset({"builtins.dict", "collections.OrderedDict", "sklearn.utils._bunch.Bunch"}),
    "FunctionNode": FUNCTIONS,
    "JsonNode": frozenset({"builtins.str"}),
    "ListNode": frozenset({"builtins.list"}),
    "LossNode": LOSSES,
    "NdArrayNode": SCALARS | {"numpy.ndarray"},
    "ObjectNode": ESTIMATORS | PARTS,
    "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
    "SetNode": frozenset({"builtins.set"}),
    "SliceNode": frozenset({"builtins.slice"}),
    "SparseMatrixNode": SPARSE,
    "TreeNode": frozenset({"sklearn.tree._tree.Tree"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "TypeNode": KEY_TYPES | SCALARS | {"builtins.bool", "builtins.list", "builtins.tuple", "numpy.object_"},
}
_KEYS: Mapping[str, tuple[set[str], ...]] = {
    "DictNode": ({"content", "key_types"},),
    "FunctionNode": (set(),),
    "JsonNode": ({"content"}, {"content", "is_json"}),
    "LossNode": ({"content", "__reduce__"},),
    "NdArrayNode": ({"type", "file"}, {"type", "content", "shape"}),
    "ObjectNode": ({"content"}, set()),
    "SparseMatrixNode": ({"type", "file"},),
    "TreeNode": ({"content", "__reduce__"},),
    "TypeNode": (set(),),
}
# Kinds whose identity matters: one such object in two places stays one object.
SHARED = {"DictNode", "ListNode", "LossNode", "NdArrayNode", "ObjectNode", "RandomStateNode", "SparseMatrixNode"}

# --- the container ------------------------------------------------------------------------------------------------

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_DEFLATED, _DATE, _VERSION = 8, 0x21, 20  # the date is 1980-01-01
_NAME = re.compile(r"[a-z_0-9]{1,40}\.(?:npy|npz|json)")

Raw = tuple[str, int, int, bytes]  # name, crc, inflated size, deflated bytes


def deflate(name: str, data: bytes) -> Raw:
    """Return a member ready to pack."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return name, zlib.crc32(data), len(data), packer.compress(data) + packer.flush()


def pack(members: Iterable[Raw]) -> bytes:
    """Return the one zip archive of these members: no dates, attributes, comments or gaps."""
    locals_, centrals, at = [], [], 0
    for name, crc, size, raw in members:
        label = name.encode("ascii")
        fixed = (_VERSION, 0, _DEFLATED, 0, _DATE, crc, len(raw), size, len(label), 0)
        local = _LOCAL.pack(b"PK\3\4", *fixed) + label
        centrals.append(_CENTRAL.pack(b"PK\1\2", _VERSION, *fixed, 0, 0, 0, 0, at) + label)
        locals_ += [local, raw]
        at += len(local) + len(raw)
    directory = b"".join(centrals)
    count = len(centrals)
    if count > MAX_MEMBERS or at > MAX_TOTAL:
        raise ValueError(f"{count} members of {at} bytes are more than an archive may hold")
    end = _END.pack(b"PK\5\6", 0, 0, count, count, len(directory), at, 0)
    return b"".join([*locals_, directory, end])


def unpack(data: bytes, *, what: str = FILE) -> dict[str, bytes]:
    """Return the members of an archive that `pack` could have written, inflated.

    Raises:
        ValueError: it is another archive, or larger than the limits.
    """
    members = _members(data, what)
    total = sum(size for _, _, size, _ in members)
    for name, _, size, _ in members:
        if size > MAX_MEMBER:
            raise ValueError(f"{what}: {name} declares {size} bytes, at most {MAX_MEMBER} are read")
    if total > MAX_TOTAL or total > max(FREE, MAX_RATIO * len(data)):
        raise ValueError(f"{what}: {len(data)} bytes declare {total} inflated, more than a model may")
    return {name: _inflate(member, what) for member in members for name in member[:1]}


def _members(data: bytes, what: str) -> list[Raw]:
    if len(data) < _END.size or data[:4] != b"PK\3\4":
        raise ValueError(f"{what} is not a skops archive ({len(data)} bytes that begin with {data[:8]!r})")
    count = _END.unpack(data[-_END.size :])[4]
    members: list[Raw] = []
    at = 0
    for _ in range(count):
        if at + _LOCAL.size > len(data):
            raise ValueError(f"{what} ends within its members")
        _, _, _, _, _, _, crc, length, size, label, _ = _LOCAL.unpack_from(data, at)
        begin = at + _LOCAL.size
        at = begin + label + length
        members.append((_name(data[begin : begin + label], what), crc, size, data[begin + label : at]))
    if len({name for name, *_ in members}) != count:
        raise ValueError(f"{what} holds two members of one name")
    if pack(members) != data:
        raise ValueError(f"{what} is not a canonical archive: something stands in it beside its {count} members")
    return members


def _name(label: bytes, what: str) -> str:
    name = label.decode("ascii", "replace")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what} holds a member named {ascii(name[:60])}")
    return name


def _inflate(member: Raw, what: str) -> bytes:
    name, crc, size, raw = member
    inflater = zlib.decompressobj(-15)
    try:
        data = inflater.decompress(raw, size + 1)  # one byte more than declared shows a header that lies
    except zlib.error as error:
        raise ValueError(f"{what}: {name} cannot be inflated: {error}") from error
    if len(data) != size or not inflater.eof or inflater.unused_data or zlib.crc32(data) != crc:
        raise ValueError(f"{what}: {name} is not what its header says")
    return data


# --- arrays -------------------------------------------------------------------------------------------------------


def array(data: bytes, where: str) -> Any:
    """Return the array of an .npy file: numbers, booleans or text, exactly as many as its header says.

    Raises:
        ValueError: it is not such a file.
    """
    import numpy as np

    begin = 10 + int.from_bytes(data[8:10], "little")
    if data[:8] != b"\x93NUMPY\1\0" or len(data) < begin:
        raise ValueError(f"{where} is not an array of .npy version 1.0")
    shape, fortran, dtype = _header(data[8:begin])
    if dtype.hasobject or dtype.kind not in "biufcSUV" or (dtype.kind == "V") != bool(dtype.names):
        raise ValueError(f"{where} holds {dtype}, not numbers or text")
    if any(not 0 <= length <= MAX_DIMENSION for length in shape):
        raise ValueError(f"{where} has the shape {shape}")
    count = math.prod(shape)
    if count * dtype.itemsize != len(data) - begin:
        raise ValueError(f"{where} has the shape {shape} of {dtype}, but {len(data) - begin} bytes")
    values = np.frombuffer(data, dtype, count, begin)
    # numpy counts the bytes of booleans and trusts code points: others than it writes lead out of its buffers.
    if dtype.kind == "b" and (values.view("u1") > 1).any():
        raise ValueError(f"{where} holds booleans that are neither true nor false")
    if dtype.kind == "U" and count and values.view(f"{dtype.byteorder}u4").max() > sys.maxunicode:
        raise ValueError(f"{where} holds text that is none")
    return values.reshape(shape, order="F" if fortran else "C")


@functools.lru_cache(1024)  # a forest has thousands of arrays, but few kinds of them
def _header(data: bytes) -> tuple[tuple[int, ...], bool, Any]:
    import numpy as np

    return np.lib.format.read_array_header_1_0(io.BytesIO(data))


def _sparse(data: bytes, where: str) -> None:
    members = {name.removesuffix(".npy"): array(part, where) for name, part in unpack(data, what=where).items()}
    needed = {"indices", "indptr", "format", "shape", "data"}
    if not needed <= members.keys() <= {*needed, "_is_array"}:
        raise ValueError(f"{where} is not a sparse matrix of rows or columns")
    if members["format"].shape != () or members["format"].item() not in (b"csr", b"csc"):
        raise ValueError(f"{where} is not a sparse matrix of rows or columns")
    for name in ("indices", "indptr"):
        if members[name].dtype.kind != "i" or members[name].ndim != 1:
            raise ValueError(f"{where} has {name} of {members[name].dtype}")
    if members["shape"].shape != (2,) or members["shape"].dtype.kind != "i" or members["data"].dtype.kind not in "biuf":
        raise ValueError(f"{where} is not a sparse matrix of numbers")


# --- schema.json --------------------------------------------------------------------------------------------------


def parse(data: bytes) -> dict[str, Any]:
    """Return schema.json as a tree of nodes, strictly.

    Raises:
        ValueError: it is larger or deeper than allowed, holds a key twice, or is no skops schema of this protocol.
    """
    if len(data) > MAX_SCHEMA:
        raise ValueError(f"{SCHEMA} has {len(data)} bytes, at most {MAX_SCHEMA} are read")
    try:
        root = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError(f"{SCHEMA} is nested too deep") from None
    if not isinstance(root, dict) or type(root.get("protocol")) is not int or root["protocol"] != PROTOCOL:
        raise ValueError(f"{SCHEMA} is not of protocol {PROTOCOL}")
    if not isinstance(root.pop("_skops_version", None), str):
        raise ValueError(f"{SCHEMA} does not say which skops wrote it")
    del root["protocol"]
    return root


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"{SCHEMA} holds the key {ascii(twice[:60])} twice in one place")
    return table


def _no_constant(text: str) -> None:
    raise ValueError(f"{SCHEMA} holds {text}")


class Audit:
    """The problems of a tree of nodes and its members, each with its place and the name of the type if that is it."""

    def __init__(self, root: Mapping[str, Any], members: Mapping[str, bytes], version: str) -> None:
        self.problems: list[tuple[str, str | None, str]] = []
        self.types: set[str] = set()
        self._members = members
        self._unused = set(members) - {SCHEMA}
        self._defined: dict[int, Mapping[str, Any]] = {}
        self._version = json.dumps(version)
        self._checks: dict[str, Callable[[Any, str, int], None]] = {
            "ConstructorFromReduceNode": self._frozenset,
            "DTypeNode": self._dtype,
            "DictNode": self._dict,
            "JsonNode": self._json,
            "ListNode": self._items,
            "LossNode": self._loss,
            "NdArrayNode": self._array,
            "ObjectNode": self._object,
            "RandomStateNode": self._random_state,
            "SetNode": self._items,
            "SliceNode": self._slice,
            "SparseMatrixNode": self._sparse,
            "TreeNode": self._tree,
            "TupleNode": self._items,
        }
        self.node(root, "model", 0)
        if self._unused and not self.problems:
            self.problems.append(("model", None, f"the archive holds {min(self._unused)}, which nothing uses"))

    def node(self, node: Any, path: str, depth: int) -> None:
        """Check a node and what is under it."""
        try:
            self._node(node, path, depth)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            self.problems.append((path, None, str(error) if isinstance(error, ValueError) else f"malformed: {error!r}"))

    def _node(self, node: Any, path: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
        kind, number = node["__loader__"], node.get("__id__")
        if kind == "CachedNode":
            self._reference(node, number)
            return
        keys = set(node) - {"__class__", "__module__", "__loader__", "__id__"}
        if kind not in TYPES:
            raise ValueError(f"stored as {ascii(str(kind)[:60])}, a kind that could reach code")
        if keys not in _KEYS.get(kind, ({"content"},)):
            raise ValueError(f"a {kind} with the keys {ascii(sorted(keys))[:200]}")
        name = f"{node['__module__']}.{node['__class__']}"
        if name not in TYPES[kind]:
            self.problems.append((path, name, "is not on the list of types that may be loaded"))
            return
        self.types.add(name)
        if check := self._checks.get(kind):
            check(node, path, depth + 1)
        if number is not None:
            if type(number) is not int or number < 1 or number in self._defined or kind not in SHARED:
                raise ValueError(f"a {kind} of the number {ascii(number)}")
            self._defined[number] = node

    def _reference(self, node: Mapping[str, Any], number: Any) -> None:
        # A node is defined when all under it is: nothing can contain itself.
        meant = self._defined.get(number) if type(number) is int else None
        if meant is None or dict(node) != {**_head(meant), "__loader__": "CachedNode"}:
            raise ValueError(f"a reference to {ascii(number)}, which is not defined before")

    def _items(self, node: Any, path: str, depth: int) -> None:
        _expect(node["content"], list, "content")
        for number, item in enumerate(node["content"]):
            self.node(item, f"{path}[{number}]", depth)

    def _json(self, node: Any, _path: str, _depth: int) -> None:
        _scalar(node)

    def _dict(self, node: Any, path: str, depth: int) -> None:
        content = _expect(node["content"], dict, "content")
        self._key_types(node, len(content))
        for key, item in content.items():
            self.node(item, f"{path}[{ascii(key[:60])}]", depth)

    def _key_types(self, node: Any, count: int) -> None:
        # One type for each key: the first in full, with a number, the others as references to it.
        types = node["key_types"]
        if not _is(types, "ListNode", "builtins", "list") or "__id__" in types or len(types["content"]) != count:
            raise ValueError("a dict whose keys have no types, or are not different as text")
        for item in types["content"]:
            if item["__loader__"] == "TypeNode":
                name = f"{item['__module__']}.{item['__class__']}"
                if name not in KEY_TYPES:
                    raise ValueError(f"a dict with a key of type {ascii(name[:90])}")
                if not set(item) <= {"__class__", "__module__", "__loader__", "__id__"}:
                    raise ValueError("a type with content")
                if "__id__" in item:
                    if type(item["__id__"]) is not int or item["__id__"] < 1 or item["__id__"] in self._defined:
                        raise ValueError("a type with a number that is taken")
                    self._defined[item["__id__"]] = item
            else:
                self._reference(item, item.get("__id__"))
                if self._defined[item["__id__"]]["__loader__"] != "TypeNode":
                    raise ValueError("a dict with a key whose type is none")

    def _object(self, node: Any, path: str, depth: int) -> None:
        attributes = node.get("content")
        if attributes is None:
            return
        if not _is(attributes, "DictNode", "builtins", "dict", {"key_types"}) or "__id__" in attributes:
            raise ValueError("an object whose attributes are no dict")
        if any(
            (kind["__module__"], kind["__class__"]) != ("builtins", "str")
            for kind in attributes["key_types"]["content"]
        ):
            raise ValueError("an object with an attribute that has no name")
        stored = attributes["content"].get("_sklearn_version")
        if stored is not None and stored["content"] != self._version:
            raise ValueError(f"stored with scikit-learn {stored['content']}, but {self._version} is installed")
        self._key_types(attributes, len(attributes["content"]))
        for key, item in attributes["content"].items():
            self.node(item, f"{path}.{key[:60]}", depth + 1)

    def _array(self, node: Any, path: str, depth: int) -> None:
        if node["type"] == "numpy":
            values = array(self._member(node, "npy"), path)
            if node["__class__"] != "ndarray" and values.shape != ():
                raise ValueError(f"a single {node['__class__']} of shape {values.shape}")
        elif node["type"] == "json" and node["__class__"] == "ndarray":
            self._object_array(node, path, depth)
        else:
            raise ValueError(f"an array of type {ascii(node['type'])}")

    def _object_array(self, node: Any, path: str, depth: int) -> None:
        self.node(node["shape"], path, depth)
        shape = [_integer(length) for length in node["shape"]["content"]]
        _expect(node["content"], list, "content")
        if node["shape"]["__loader__"] != "TupleNode" or not shape or len(node["content"]) != shape[0]:
            raise ValueError(f"an array of objects of shape {shape}")
        # numpy finds the shape anew in the nested lists: they must have exactly the one that is declared.
        rows = node["content"]
        for length in shape[1:]:
            for row in rows:
                if row["__loader__"] != "ListNode" or "__id__" in row or len(row["content"]) != length:
                    raise ValueError(f"an array of objects that is not of the shape {shape}")
            rows = [item for row in rows for item in row["content"]]
        for item in rows:
            single = item["__loader__"] == "JsonNode" or item["__module__"] in ("sklearn.tree._classes", "numpy")
            if len(shape) > 1 and not single:
                raise ValueError("an array of several dimensions that holds more than trees, numbers or text")
        for number, item in enumerate(node["content"]):
            self.node(item, f"{path}[{number}]", depth)

    def _sparse(self, node: Any, path: str, _depth: int) -> None:
        if node["type"] != "scipy":
            raise ValueError(f"a sparse matrix of type {ascii(node['type'])}")
        _sparse(self._member(node, "npz"), path)

    def _member(self, node: Any, suffix: str) -> bytes:
        name = node["file"]
        if name not in self._unused or not name.endswith(suffix):
            raise ValueError(f"the member {ascii(name)} is not there, is used twice, or is no .{suffix}")
        self._unused.remove(name)
        return self._members[name]

    def _dtype(self, node: Any, path: str, depth: int) -> None:
        if node["content"]["__loader__"] != "NdArrayNode" or node["content"]["__class__"] != "ndarray":
            raise ValueError("a dtype without an array")
        self.node(node["content"], path, depth)

    def _frozenset(self, node: Any, path: str, depth: int) -> None:
        arguments = node["content"]
        if arguments["__loader__"] != "TupleNode" or [item["__loader__"] for item in arguments["content"]] != [
            "ListNode"
        ]:
            raise ValueError("a frozenset of something else than one list")
        self.node(arguments, path, depth)

    def _loss(self, node: Any, path: str, depth: int) -> None:
        if node["content"]["content"] or node["content"]["__loader__"] not in ("DictNode", "TupleNode"):
            raise ValueError("a loss with a state")
        arguments = node["__reduce__"]["args"]
        if set(node["__reduce__"]) != {"args"} or arguments["__loader__"] != "TupleNode":
            raise ValueError("a loss made of something else than numbers")
        if not all(isinstance(_scalar(item), int | float) for item in arguments["content"]):
            raise ValueError("a loss made of something else than numbers")
        self.node(arguments, path, depth)
        self.node(node["content"], path, depth)

    def _random_state(self, node: Any, path: str, depth: int) -> None:
        self.node(node["content"], path, depth)
        state = node["content"]["content"]["state"]["content"]
        key = array(self._members[state["key"]["file"]], path)
        # The generator reads its key at `pos` without looking.
        if key.shape != (624,) or key.dtype.str[1:] != "u4" or not 0 <= _integer(state["pos"]) <= len(key):
            raise ValueError("a random state that is none")

    def _slice(self, node: Any, _path: str, _depth: int) -> None:
        if set(node["content"]) != {"start", "stop", "step"} or not all(
            value is None or type(value) is int for value in node["content"].values()
        ):
            raise ValueError("a slice of something else than numbers")

    def _tree(self, node: Any, path: str, depth: int) -> None:
        if not path.endswith(".tree_"):  # the estimator around it is what looks at the number of columns
            raise ValueError("a tree outside of an estimator")
        arguments, state = node["__reduce__"]["args"], node["content"]
        if (
            set(node["__reduce__"]) != {"args"}
            or arguments["__loader__"] != "TupleNode"
            or len(arguments["content"]) != 3
        ):
            raise ValueError("a tree that is made of something else than its sizes")
        if state["__loader__"] != "DictNode" or set(state["content"]) != {"max_depth", "node_count", "nodes", "values"}:
            raise ValueError("a tree that holds something else than nodes and values")
        for part in (arguments, state):
            self.node(part, path, depth)
        features, classes, outputs = arguments["content"]
        parts = state["content"]
        check_tree(
            (_integer(features), array(self._members[classes["file"]], path), _integer(outputs)),
            array(self._members[parts["nodes"]["file"]], path),
            array(self._members[parts["values"]["file"]], path),
            (_integer(parts["node_count"]), _integer(parts["max_depth"])),
        )


def _head(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: node.get(key) for key in ("__class__", "__module__", "__loader__", "__id__")}


def _is(node: Any, kind: str, module: str, name: str, more: Iterable[str] = ()) -> bool:
    head = {"__loader__": kind, "__module__": module, "__class__": name}
    return {key: node.get(key) for key in head} == head and set(node) - {"__id__"} == {*head, "content", *more}


def _expect(value: Any, kind: type, what: str) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{what} is {type(value).__name__}, not {kind.__name__}")
    return value


def _scalar(node: Mapping[str, Any]) -> Any:
    value = json.loads(_expect(node["content"], str, "content")) if node["__loader__"] == "JsonNode" else node
    if isinstance(value, dict | list):
        raise ValueError("a value that is more than a number or text")
    return value


def _integer(node: Mapping[str, Any]) -> int:
    value = _scalar(node)
    if type(value) is not int:
        raise ValueError("a size that is no whole number")
    return value


def check_tree(sizes: tuple[int, Any, int], nodes: Any, values: Any, counts: tuple[int, int]) -> None:
    """Check a decision tree's table as its compiled walk will trust it.

    Raises:
        ValueError: a child, feature or size leads out of the table, or back.
    """
    from sklearn.tree._tree import NODE_DTYPE

    features, classes, outputs = sizes
    if outputs != 1 or classes.shape != (1,) or classes.dtype.kind != "i" or not 1 <= classes[0] <= MAX_DIMENSION:
        raise ValueError("a tree of several outputs, or without a class")
    if not 1 <= features <= MAX_DIMENSION or nodes.dtype != NODE_DTYPE or nodes.ndim != 1 or not nodes.size:
        raise ValueError("a tree whose nodes are not this scikit-learn's")
    if (
        counts[0] != nodes.size
        or not 0 <= counts[1] < max(2, nodes.size)
        or values.shape != (nodes.size, 1, classes[0])
    ):
        raise ValueError(
            f"a tree of {nodes.size} nodes that says it has {counts[0]}, with values of shape {values.shape}"
        )
    leaf = nodes["left_child"] == -1
    check_nodes(leaf, nodes["left_child"], nodes["right_child"], nodes["feature"], features)


def check_nodes(leaf: Any, left: Any, right: Any, feature: Any, features: int) -> None:
    """Check that every way through a tree goes on to later nodes, each reached once, and ends in a leaf."""
    import numpy as np

    inner = np.flatnonzero(~leaf)
    children = np.concatenate([left[inner], right[inner]]).astype(np.int64)
    if inner.size == 0:
        return
    if (children <= np.concatenate([inner, inner])).any() or children.max() >= leaf.size:
        raise ValueError("a tree with a child that is outside of it or leads back")
    if np.bincount(children).max() > 1:
        raise ValueError("a tree with a node that is reached twice")
    if feature[inner].min() < 0 or feature[inner].max() >= features:
        raise ValueError(f"a tree that asks for a feature outside of its {features}")


# --- the loaded objects -------------------------------------------------------------------------------------------

# scikit-learn sets these on the object although the class has them too.
_OWN = {"positive"}
# What matters in training alone, and may name folders, start processes or differ from run to run.
NEUTRAL: Mapping[str, Any] = {"n_jobs": None, "memory": None, "verbose": 0}


def check(model: object, /) -> None:
    """Check objects for what compiled code or a request would reach through them.

    Raises:
        ValueError: something in them must not be used.
    """
    for path, part in walk(model):
        try:
            _check(part)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _check(part: Any) -> None:
    kind = type(part)
    if _is_sparse(part):
        part.check_format(full_check=True)  # compiled products take its indices as they are
    elif kind.__module__.startswith("sklearn.") and hasattr(part, "__dict__"):
        for name in vars(part):
            if hasattr(kind, name) and name not in _OWN:
                raise ValueError(f"{kind.__name__}.{name[:60]} would replace what the class itself has")
        for base in kind.__mro__:
            _CHECKS.get(base.__name__, _nothing)(part)


def _nothing(_part: object) -> None:
    pass


def settle(model: object, /) -> None:
    """Set the neutral parameters of loaded objects: no processes, no cache folder, no output."""
    for _, part in walk(model):
        attributes = vars(part) if hasattr(part, "get_params") else {}
        for name in NEUTRAL.keys() & attributes.keys():
            setattr(part, name, NEUTRAL[name])
        if "stop_words" in attributes:
            part._stop_words_id = id(part.stop_words)  # they were looked at in training


def walk(model: Any, /) -> Iterator[tuple[str, Any]]:
    """Yield every object in a model once, with its place."""
    todo = [("model", model)]
    seen: dict[int, Any] = {}  # keeps the objects alive, so that no address is used twice
    while todo:
        path, part = todo.pop()
        if id(part) not in seen and not isinstance(part, str | int | float | bool | None):
            seen[id(part)] = part
            yield path, part
            todo += children(path, part)


def children(path: str, part: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an object holds, with its place."""
    if isinstance(part, Mapping):
        yield from ((f"{path}[{str(key)[:60]!a}]", child) for key, child in part.items())
    elif isinstance(part, list | tuple | set | frozenset):
        yield from ((f"{path}[{number}]", child) for number, child in enumerate(part))
    elif type(part).__name__ == "ndarray" and part.dtype.hasobject:
        yield from ((f"{path}[{number}]", child) for number, child in enumerate(part.ravel().tolist()))
    elif hasattr(part, "__dict__") and not isinstance(part, type) and not _is_sparse(part):
        yield from ((f"{path}.{name[:60]}", child) for name, child in vars(part).items())


def _is_sparse(part: object) -> bool:
    return type(part).__module__.startswith("scipy.sparse")


def _require(fact: Any, part: object, what: str) -> None:
    if not fact:
        raise ValueError(f"{type(part).__name__}: {what}")


def _whole(part: Any, name: str) -> int:
    value = vars(part).get(name)
    _require(isinstance(value, int) or getattr(value, "dtype", None) == "int64", part, f"{name} is no whole number")
    return int(value)


def _check_decision_tree(part: Any) -> None:
    if "tree_" in vars(part):
        tree = part.tree_
        _require(type(tree).__name__ == "Tree", part, "tree_ is no tree")
        _require(tree.n_features == _whole(part, "n_features_in_"), part, "its tree has another number of features")


def _check_gradient_boosting(part: Any) -> None:
    if "estimators_" not in vars(part):
        return
    trees: Any = part.estimators_
    columns = _whole(part, "n_trees_per_iteration_")
    _require(getattr(trees, "ndim", 0) == 2 and trees.shape[1] == columns, part, "estimators_ has another shape")
    for tree in trees.ravel():
        _require(type(tree).__name__ == "DecisionTreeRegressor" and "tree_" in vars(tree), part, "a stage is no tree")
        _require(tree.tree_.n_features == _whole(part, "n_features_in_"), part, "a stage has other features")
        _require(tree.tree_.max_n_classes == 1, part, "a stage is no regression")
    start = vars(part).get("init_")
    if columns > 1 and start != "zero":  # the stages are added into as many columns as this gives
        known = type(start).__name__ == "DummyClassifier" and vars(start).get("strategy") == "prior"
        _require(known and getattr(start.class_prior_, "shape", ()) == (columns,), part, "init is of another kind")


def _check_histogram_boosting(part: Any) -> None:
    if "_predictors" not in vars(part):
        return
    features = _whole(part, "n_features_in_")
    mapper = part._bin_mapper
    plain = vars(part).get("_preprocessor") is None and vars(part).get("is_categorical_") is None
    _require(
        plain and not vars(part).get("_in_fit"),
        part,
        "its own categorical_features cannot be stored, encode them before it",
    )
    known = getattr(mapper.is_categorical_, "shape", ()) == (features,) and not mapper.is_categorical_.any()
    _require(known and len(mapper.bin_thresholds_) == features, part, "its bins have another number of features")
    _require(isinstance(part._predictors, list), part, "its trees are no list")
    for predictor in (tree for stage in part._predictors for tree in stage):
        _require(type(predictor).__name__ == "TreePredictor", part, "a stage is no tree")
        _check_predictor(predictor, features)


def _check_bins(part: Any) -> None:
    if "bin_thresholds_" in vars(part):
        sizes = {len(part.bin_thresholds_), len(part.n_bins_non_missing_), len(part.is_categorical_)}
        known = len(sizes) == 1 and part.is_categorical_.shape == part.n_bins_non_missing_.shape
        _require(known, part, "its bins have different numbers of features")


def _check_predictor(part: Any, features: int) -> None:
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    nodes, bits = part.nodes, part.raw_left_cat_bitsets
    known = getattr(nodes, "dtype", None) == PREDICTOR_RECORD_DTYPE and nodes.ndim == 1 and nodes.size
    _require(known, part, "its nodes are not this scikit-learn's")
    _require(getattr(bits, "ndim", 0) == 2 and bits.dtype == "uint32", part, "its bitsets are none")
    _require(not nodes["is_categorical"].any(), part, "it has categorical features of its own")
    check_nodes(nodes["is_leaf"] != 0, nodes["left"], nodes["right"], nodes["feature_idx"], features)


def _check_machine(part: Any) -> None:
    """Check a support vector machine: libsvm takes every size from another array than the one it reads."""
    if "support_vectors_" not in vars(part):
        return
    vectors, coefficients, sparse = part.support_vectors_, part._dual_coef_, vars(part).get("_sparse")
    _require(part.kernel in ("linear", "poly", "rbf", "sigmoid"), part, f"the kernel {ascii(part.kernel)[:60]}")
    _require(isinstance(sparse, bool), part, "_sparse is neither true nor false")
    for each in (vectors, coefficients):
        known = _is_sparse(each) and each.format == "csr" if sparse else type(each).__name__ == "ndarray"
        _require(known and each.dtype == "float64" and each.ndim == 2, part, "its vectors are not as it says")
    counts = part._n_support
    _require(
        getattr(counts, "ndim", 0) == 1 and counts.dtype == "int32" and (counts >= 0).all(),
        part,
        "_n_support is no count",
    )
    labels = vars(part).get("classes_")
    classes = 2 if labels is None else len(labels)
    machine = len(counts) == classes >= 2 and (labels is None or counts.sum() == vectors.shape[0])
    _require(machine, part, "_n_support does not fit the support vectors")
    _require((labels is None) == type(part).__name__.endswith("SVR"), part, "classes_ do not fit its kind")
    _require(vectors.shape[1] == _whole(part, "n_features_in_"), part, "support_vectors_ has other features")
    _require(part.support_.shape == (vectors.shape[0],), part, "support_ has another length")
    _require(coefficients.shape == (classes - 1, vectors.shape[0]), part, "dual_coef_ has another shape")
    _require(
        not sparse or coefficients.nnz == coefficients.shape[0] * coefficients.shape[1], part, "dual_coef_ has gaps"
    )
    pairs = classes * (classes - 1) // 2
    _require(part._intercept_.shape == (pairs,), part, "intercept_ has another length")
    lengths = [(pairs,)] if vars(part).get("_effective_probability") else [(pairs,), (0,)]
    for name in ("_probA", "_probB"):
        _require(vars(part)[name].shape in lengths, part, f"{name} has another length")


def _check_neighbors(part: Any) -> None:
    if "_fit_X" not in vars(part):
        return
    points, params = part._fit_X, part.effective_metric_params_
    _require(part._fit_method == "brute", part, 'it is stored only with algorithm="brute"')
    metrics = ("chebyshev", "cosine", "euclidean", "manhattan", "minkowski")
    _require(
        part.effective_metric_ in metrics and part.metric in metrics, part, f"the metric {ascii(part.metric)[:60]}"
    )
    _require(
        set(params) <= {"p"} and all(isinstance(value, int | float) for value in params.values()), part, "metric_params"
    )
    _require(
        points.shape == (_whole(part, "n_samples_fit_"), _whole(part, "n_features_in_")),
        part,
        "_fit_X has another shape",
    )
    _require(part._y.shape == points.shape[:1], part, "its targets are not one for each point")
    if "classes_" in vars(part):
        inside = (
            part._y.dtype.kind == "i" and part._y.size and part._y.min() >= 0 and part._y.max() < len(part.classes_)
        )
        _require(inside, part, "a target is outside of its classes")


def _check_text(part: Any) -> None:
    # With input="filename" or "file" the text of a request would be opened or called.
    _require(part.input == "content", part, f'input is {ascii(part.input)[:60]}, only "content" may be loaded')
    if "n_features" in vars(part):
        _require(0 < _whole(part, "n_features") < MAX_DIMENSION, part, "n_features is out of range")
    if "vocabulary_" in vars(part):
        numbers = list(part.vocabulary_.values())
        whole = all(isinstance(number, int) or number.dtype.kind in "iu" for number in numbers)
        known = whole and set(numbers) == set(range(len(numbers)))
        _require(known, part, "vocabulary_ does not number its terms from 0")


def _check_one_hot(part: Any) -> None:
    """Check that an encoder's columns stay inside of the sparse matrix that it makes."""
    import numpy as np

    if "_n_features_outs" not in vars(part):
        return
    drops = part._drop_idx_after_grouping
    sizes = []
    for number, values in enumerate(part.categories_):
        size = len(values)
        numeric = values.dtype.kind != "O"
        _require(not numeric or (np.sort(values) == values)[values == values].all(), part, "categories_ are not sorted")  # noqa: PLR0124
        mapping = part._default_to_infrequent_mappings[number] if part._infrequent_enabled else None
        if mapping is not None:
            _require(mapping.shape == (size,) and mapping.dtype.kind == "i", part, "infrequent categories")
            _require(mapping.min() >= 0 and mapping.max() < size, part, "infrequent categories")
            size = int(mapping.max()) + 1
        if drops is not None and drops[number] is not None:
            _require(0 <= drops[number] < size, part, "drop is outside of the categories")
            size -= 1
        sizes.append(size)
    _require(list(part._n_features_outs) == sizes, part, "_n_features_outs does not fit the categories")


def _check_polynomial(part: Any) -> None:
    degree = part.degree
    for each in degree if isinstance(degree, tuple | list) else (degree, vars(part).get("_max_degree", 0)):
        _require(type(each) is int and 0 <= each <= MAX_DEGREE, part, f"the degree {ascii(each)[:60]}")


_CHECKS: Mapping[str, Callable[[Any], None]] = {
    "BaseDecisionTree": _check_decision_tree,
    "BaseGradientBoosting": _check_gradient_boosting,
    "BaseHistGradientBoosting": _check_histogram_boosting,
    "BaseLibSVM": _check_machine,
    "NeighborsBase": _check_neighbors,
    "OneHotEncoder": _check_one_hot,
    "_BinMapper": _check_bins,
    "PolynomialFeatures": _check_polynomial,
    "_VectorizerMixin": _check_text,
}

# --- scoring ------------------------------------------------------------------------------------------------------


def load(files: Mapping[str, bytes], spec: Mapping[str, Any]) -> EstimatorScorer:
    """Return a scorer of the estimator in `model.skops`.

    Raises:
        ValueError: the bytes are not a model that may be loaded, or not the one that `spec` describes.
    """
    if set(files) != {FILE}:
        raise ValueError(f"a skops model is one file, {FILE}; given: {sorted(files)}")
    try:
        return EstimatorScorer(load_estimator(files[FILE]), spec)
    except (ImportError, ValueError):
        raise
    except Exception as error:
        raise ValueError(f"{FILE} cannot be loaded: {type(error).__name__}: {error}") from error


def load_estimator(data: bytes, /) -> Any:
    """Return the estimator of an archive, checked from the container to the last index."""
    import sklearn

    members = unpack(data)
    if SCHEMA not in members:
        raise ValueError(f"{FILE} has no {SCHEMA}")
    audit = Audit(parse(members[SCHEMA]), members, sklearn.__version__)
    for path, name, what in audit.problems[:1]:
        raise ValueError(f"{FILE}, {path}: {ascii(name[:120]) + ' ' if name else ''}{what}")
    import skops.io

    # skops asks again: of our names it gets those that it does not trust itself, as far as they are needed.
    estimator = skops.io.loads(data, trusted=sorted(audit.types & TRUSTED))
    check(estimator)
    settle(estimator)
    return estimator


TRUSTED = (
    ESTIMATORS | PARTS | FUNCTIONS | SPARSE | {"sklearn.tree._tree.Tree", "numpy.dtype", "builtins.frozenset"}
    | {"sklearn.utils._bunch.Bunch"}
)  # fmt: skip


class EstimatorScorer:
    """An estimator as a scorer: columns in, columns out."""

    def __init__(self, estimator: Any, spec: Mapping[str, Any]) -> None:
        import sklearn

        self.engine = f"scikit-learn {sklearn.__version__}"
        self._estimator = estimator
        self._inputs = spec["schema"]["inputs"]
        self._frame = spec["frame"]
        self._outputs: Sequence[str] = spec["schema"]["outputs"]["required"][1:]
        if not callable(getattr(estimator, "predict", None)):
            raise ValueError(f"{type(estimator).__name__} has no predict")
        if self._outputs:
            self._check_labels()

    def _check_labels(self) -> None:
        if not callable(getattr(self._estimator, "predict_proba", None)):
            raise ValueError(f"{type(self._estimator).__name__} has no predict_proba, but the schema has probabilities")
        names = [f"probability.{label}" for label in self._estimator.classes_.tolist()]
        if names != list(self._outputs):
            raise ValueError(f"the model's classes give {names}, the schema has {list(self._outputs)}")

    def score(self, rows: Mapping[str, Any], /) -> dict[str, list[Any]]:
        """Return the prediction of each row, and the probabilities that the schema names."""
        given = to_frame(rows, self._inputs, self._frame)
        answers = self._estimator.predict(given)
        if answers.ndim == 2 and answers.shape[1] == 1:
            answers = answers[:, 0]
        columns = {"prediction": answers.tolist()}
        if self._outputs:
            columns.update(zip(self._outputs, self._estimator.predict_proba(given).T.tolist(), strict=True))
        return columns


def to_frame(columns: Mapping[str, Any], inputs: Mapping[str, Any], frame: str) -> Any:
    """Return columns of plain cells as the model wants them: "arrays", "column", "pandas" or "polars"."""
    import numpy as np

    names = inputs["required"]
    kinds = {name: _kinds(inputs["properties"][name]) for name in names}
    if frame == "column":
        values = np.empty(len(columns[names[0]]), dtype=object)
        values[:] = columns[names[0]]
        return values
    if frame == "arrays":
        numeric = all(kind <= {"integer", "number", "boolean", "null"} for kind in kinds.values())
        return np.array([columns[name] for name in names], dtype=float if numeric else object).T.copy(order="C")
    if frame == "pandas":
        return _pandas(columns, kinds)
    if frame == "polars":
        return _polars(columns, kinds)
    raise ValueError(f"the frame {ascii(frame)} is not known")


def _kinds(spec: Mapping[str, Any]) -> set[str]:
    return {spec["type"]} if isinstance(spec["type"], str) else set(spec["type"])


def _pandas(columns: Mapping[str, Any], kinds: Mapping[str, set[str]]) -> Any:
    import pandas as pd

    text: Any = "str" if int(pd.__version__.split(".")[0]) >= 3 else object  # as read_csv does
    made = {}
    for name, kind in kinds.items():
        if "string" in kind:
            cells = [float("nan") if cell is None else cell for cell in columns[name]]
            made[name] = pd.Series(cells, dtype=object).astype(text)
        elif len(kind) == 1 and kind < {"boolean", "integer"}:
            made[name] = pd.Series(columns[name], dtype=bool if kind == {"boolean"} else "int64")
        else:
            made[name] = pd.Series(columns[name], dtype=object if "boolean" in kind else "float64")
    return pd.DataFrame(made)


def _polars(columns: Mapping[str, Any], kinds: Mapping[str, set[str]]) -> Any:
    import polars as pl

    types = {"string": pl.String, "number": pl.Float64, "integer": pl.Int64, "boolean": pl.Boolean}
    made = {}
    for name, kind in kinds.items():
        wanted = next((made_of for word, made_of in types.items() if word in kind), pl.Null)
        made[name] = pl.Series(name, columns[name], dtype=wanted)
    return pl.DataFrame(made)
