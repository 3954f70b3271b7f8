from .attribution.baseline import blurred_baseline as blurred_baseline
from .attribution.captum import (
    captum_attribution as captum_attribution,
    compare_with_captum as compare_with_captum,
)
from .attribution.closed_form import closed_form_attribution as closed_form_attribution
from .attribution.contrast_result import RaySweep as RaySweep
from .attribution.contrast_sweep import ray_sweep as ray_sweep
from .attribution.expected import expected_gradients as expected_gradients
from .attribution.gradients import (
    gradient as gradient,
    input_x_gradient as input_x_gradient,
    x_gradient as x_gradient,
)
from .attribution.integrated import integrated_gradients as integrated_gradients
from .attribution.ledger import Ledger as Ledger, bias_attribution as bias_attribution
from .attribution.onnx_export import export_onnx as export_onnx
from .attribution.result import Attribution as Attribution, relative_l1 as relative_l1
from .data.cohorts.cohort import Cohort as Cohort, CohortError as CohortError
from .data.cohorts.load import load_cohort as load_cohort
from .errors import UserError as UserError
from .homogeneity.inspection import (
    HomogeneityReport as HomogeneityReport,
    NotHomogeneousError as NotHomogeneousError,
    inspect_homogeneity as inspect_homogeneity,
    remove_biases as remove_biases,
)
from .metrics.distance import half_distance as half_distance
from .models.zoo import (
    ModelCard as ModelCard,
    PretrainedModel as PretrainedModel,
    available_models as available_models,
    load_model as load_model,
    load_model_file as load_model_file,
)
from .priors.live import LiveTrainer as LiveTrainer
from .priors.live_state import LiveConfig as LiveConfig, Snapshot as Snapshot, Steering as Steering
from .priors.loss import (
    attribution_prior_loss as attribution_prior_loss,
    training_attributions as training_attributions,
)
from .priors.methods import PriorMethod as PriorMethod
from .priors.sweep import choose_strengths as choose_strengths, run_sweep as run_sweep
from .priors.sweep_cells import SweepConfig as SweepConfig
