"""From the generator section of a configuration to a `GeneratorConfig`: the preset, then what differs."""

from dataclasses import replace
from typing import TYPE_CHECKING

from tsgen.cli.run_config import GeneratorSection

if TYPE_CHECKING:
    from tsgen.generator import GeneratorConfig


def generator_config(section: GeneratorSection) -> "GeneratorConfig":
    """Settings of the generator.

    Raises
    ------
    ConfigError
        If a value is outside its range; the message names it.

    Examples
    --------
    >>> generator_config(GeneratorSection(preset="fast")).head.contexts
    ()
    """
    from tsgen.generator import GeneratorConfig

    base = GeneratorConfig.preset(section.preset)
    return replace(
        base,
        whitening=section.whitening or base.whitening,
        head=replace(base.head, **section.head.model_dump(exclude_none=True)),
        training=replace(base.training, **section.training.model_dump(exclude_none=True)),
        sampler=replace(base.sampler, **section.sampler.model_dump(exclude_none=True)),
    )
