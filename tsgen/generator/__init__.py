"""The generator: fit, sample, save, load."""

from tsgen.generator.adapted_generator import AdaptedDiffusionGenerator
from tsgen.generator.fitting import fit_generator
from tsgen.generator.generator_config import GeneratorConfig
from tsgen.generator.storage import load_generator

__all__ = ["AdaptedDiffusionGenerator", "GeneratorConfig", "fit_generator", "load_generator"]
