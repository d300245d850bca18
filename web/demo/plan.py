"""All hazards of the year: the told ones, those left open at its end, and the ordinary rest."""

from web.demo.arcs import arc_stories
from web.demo.ordinary import ordinary_stories
from web.demo.story import Story, in_order
from web.demo.town import Size, Town
from web.demo.unfinished import unfinished_stories


def all_stories(town: Town, size: Size) -> list[Story]:
    """Every story of the year in the order of its report."""
    told = [*arc_stories(town, size), *unfinished_stories(town)]
    rest = ordinary_stories(town, size.hazards - len(told))
    return sorted([*told, *rest], key=in_order)
