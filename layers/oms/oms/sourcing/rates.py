"""What shipping from a location costs."""

from oms.problems import Code, Problem
from oms.sourcing.instance import fixed_cost
from oms.values import frozen


@frozen
class Costs:
    """The linear rates of a location, minor units.

    Attributes:
        package_cost: for each parcel.
        km_rate_milli: thousandths of a minor unit for each km to the customer, once a parcel.
        handling: for picking and packing each unit.
        kg_rate: for each kg.

    Raises:
        Problem: field_invalid, when one is below 0.
    """

    package_cost: int = 0
    km_rate_milli: int = 0
    handling: int = 0
    kg_rate: int = 0

    def __post_init__(self) -> None:
        for name in ("package_cost", "km_rate_milli", "handling", "kg_rate"):
            if getattr(self, name) < 0:
                raise Problem(Code.FIELD_INVALID, f"costs.{name} is below 0", f"costs.{name}")

    def parcel(self, distance_km: int) -> int:
        """Cost of one parcel, however much is in it."""
        return fixed_cost(self.package_cost, distance_km, self.km_rate_milli)

    def unit(self, weight_g: int) -> int:
        """Cost of one unit in a parcel."""
        return self.handling - (-self.kg_rate * weight_g // 1000)  # `unit_cost`, once for each offer
