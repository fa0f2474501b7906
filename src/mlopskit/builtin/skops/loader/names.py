"""The names that may stand in an archive: kinds of nodes, and for each the types that it may be of.

This list is the loader's own: a package has no say in it.
"""

from __future__ import annotations

from collections.abc import Mapping


def _names(table: str) -> frozenset[str]:
    lines = [line.partition(":") for line in table.splitlines()]
    return frozenset(f"{module.strip()}.{name}" for module, _, names in lines for name in names.split())


# scikit-learn's classifiers, regressors and transformers whose prediction runs in Python and numpy, or whose arrays
# are checked. Not here: what never predicts, and what hands unchecked arrays to compiled code.
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
    sklearn.decomposition._sparse_pca: MiniBatchSparsePCA SparsePCA
    sklearn.decomposition._truncated_svd: TruncatedSVD
    sklearn.discriminant_analysis: LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis
    sklearn.dummy: DummyClassifier DummyRegressor
    sklearn.ensemble._bagging: BaggingClassifier BaggingRegressor
    sklearn.ensemble._forest: ExtraTreesClassifier ExtraTreesRegressor RandomForestClassifier RandomForestRegressor \
        RandomTreesEmbedding
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
    sklearn.linear_model._coordinate_descent: ElasticNet ElasticNetCV Lasso LassoCV MultiTaskElasticNet \
        MultiTaskElasticNetCV MultiTaskLasso MultiTaskLassoCV
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
    sklearn.multioutput: ClassifierChain MultiOutputClassifier MultiOutputRegressor RegressorChain
    sklearn.naive_bayes: BernoulliNB CategoricalNB ComplementNB GaussianNB MultinomialNB
    sklearn.neighbors._classification: KNeighborsClassifier RadiusNeighborsClassifier
    sklearn.neighbors._nearest_centroid: NearestCentroid
    sklearn.neighbors._nca: NeighborhoodComponentsAnalysis
    sklearn.neighbors._regression: KNeighborsRegressor RadiusNeighborsRegressor
    sklearn.neural_network._multilayer_perceptron: MLPClassifier MLPRegressor
    sklearn.neural_network._rbm: BernoulliRBM
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
    sklearn.semi_supervised._label_propagation: LabelPropagation LabelSpreading
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
# Kinds of nodes that may also name the package's own code, under names that are nobody else's here.
OWN_KINDS = {"FunctionNode", "ObjectNode", "TypeNode"}
KNOWN = frozenset[str]().union(*TYPES.values())
# The keys that a node of a kind may have beside its head; of a kind that is not here, `content` alone.
KEYS: Mapping[str, tuple[set[str], ...]] = {
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
# What skops may be told to trust, as far as it does not by itself.
TRUSTED = (
    ESTIMATORS | PARTS | FUNCTIONS | SPARSE | {"sklearn.tree._tree.Tree", "numpy.dtype", "builtins.frozenset"}
    | {"sklearn.utils._bunch.Bunch"}
)  # fmt: skip
