"""Who holds which post where, and who may therefore act. Pure lookups over the register of people.

Every validity is half-open: from its first instant up to, not including, its last.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from engine.errors import BadInput, NotFound

# Chinese and English name of each kind, and below which kinds such a unit may stand; "" = on top.
# 3+1 grid: the community is the 总网格, below it 一般网格 and 微网格; 专属网格 beside them.
KINDS: Final[Mapping[str, tuple[str, str, frozenset[str]]]] = {
    "city": ("市", "city", frozenset({""})),
    "district": ("区", "district", frozenset({"", "city"})),
    "street": ("街道", "sub-district", frozenset({"", "district"})),
    "community": ("社区", "community", frozenset({"street"})),
    "general_grid": ("一般网格", "general grid", frozenset({"community"})),
    "micro_grid": ("微网格", "micro-grid", frozenset({"general_grid"})),
    "exclusive_grid": ("专属网格", "exclusive grid", frozenset({"street", "community"})),
    "department": ("部门", "department", frozenset({"street", "district"})),
    "company": ("企业", "company", frozenset({"street", "district"})),
}
ABOVE_COMMUNITIES: Final = frozenset({"city", "district", "street"})

# Duties name what a lane of a process asks for; a post carries some of them.
DUTIES: Final[Mapping[str, tuple[str, str]]] = {
    "report": ("上报", "report"),
    "confirm": ("确认", "confirm"),
    "review": ("复看", "review"),
    "dispatch": ("指派", "dispatch"),
    "rectify": ("整改", "rectify"),
    "accept": ("验收", "accept"),
    "close": ("销号", "close"),
    "approve": ("审批", "approve"),
    "reinspect": ("复查", "re-inspect"),
    "supervise": ("督查", "supervise"),
    "whistle": ("吹哨", "blow the whistle"),
    "command": ("调度", "command desk"),
    "respond": ("报到", "respond"),
    "intake": ("受理", "take in complaints"),
    "custody": ("身份保管", "keep identities"),
    "investigate": ("核查", "investigate"),
    "verify": ("核实", "verify"),
    "revisit": ("回访", "revisit"),
    "publish": ("公开", "publish"),
    "patrol": ("巡查", "patrol"),
    "direct": ("发令", "give directives"),
    "receive": ("接令", "receive directives"),
    "discipline": ("纪检", "discipline"),
    "administer": ("管理", "administer"),
}


# A lane's duty where any post will do, because the step is somebody's by name.
ANY_POST: Final = "any"


class UnknownUnit(NotFound):
    """No unit has this id."""

    def __init__(self, unit: str) -> None:
        super().__init__(
            f"没有编号为 {unit} 的单位，请核对后再试。", f"There is no unit {unit}; check the id."
        )


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of the tree 市/区/街道/社区/网格, or a department or company beside it."""

    id: str
    kind: str
    name: str
    parent: str | None
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Post:
    """One person's tenure of a post: its unit, title and duties, from when until when."""

    id: str
    person: str
    unit: str
    title: str
    duties: frozenset[str]
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Substitution:
    """代理: who acts for an absent person, in which of their posts (None = all), and until when."""

    id: str
    absent: str
    substitute: str
    posts: frozenset[str] | None
    since: datetime
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Authority:
    """Why a person may act: the post that carries the duty.

    person: who really acts. on_behalf_of: whose post it is, where that is somebody absent.
    """

    person: str
    post: str
    unit: str
    title: str
    duty: str
    on_behalf_of: str | None = None


@dataclass(frozen=True, slots=True)
class Tenure:
    """Who had a post and from when until when; on_behalf_of: the absent holder, for substitutes."""

    person: str
    post: str
    unit: str
    title: str
    duties: frozenset[str]
    since: datetime
    until: datetime | None
    on_behalf_of: str | None = None


_Lasting = TypeVar("_Lasting", Unit, Post, Substitution)


def valid(period: Unit | Post | Substitution | Tenure, at: datetime) -> bool:
    """Whether a validity covers this instant."""
    return period.since <= at and (period.until is None or at < period.until)


@dataclass(frozen=True, slots=True)
class Directory:
    """The register of units and people as it stands after a given event, with all its history.

    units, posts: by id. names: by person id; a person whose name was erased is missing.
    """

    units: Mapping[str, Unit]
    posts: Mapping[str, Post]
    substitutions: tuple[Substitution, ...]
    names: Mapping[str, str]
    _by_person: Mapping[str, tuple[Post, ...]] = field(repr=False)
    _by_duty: Mapping[str, tuple[Post, ...]] = field(repr=False)
    _by_unit: Mapping[str, tuple[Post, ...]] = field(repr=False)
    _by_substitute: Mapping[str, tuple[Substitution, ...]] = field(repr=False)
    _by_absent: Mapping[str, tuple[Substitution, ...]] = field(repr=False)
    _children: Mapping[str, tuple[str, ...]] = field(repr=False)
    _departments: Mapping[str, tuple[str, ...]] = field(repr=False)

    def unit(self, unit: str) -> Unit:
        """The unit with this id; raises UnknownUnit."""
        try:
            return self.units[unit]
        except KeyError:
            raise UnknownUnit(unit) from None

    def name(self, person: str) -> str:
        """The person's name, or the pseudonymous id where no name is kept."""
        return self.names.get(person, person)

    def ancestors(self, unit: str) -> tuple[str, ...]:
        """The units above this one, nearest first."""
        return tuple(self._above(unit))

    def path(self, unit: str) -> tuple[str, ...]:
        """The unit itself and those above it up to its street; outside a street, up to the top."""
        path = [unit]
        for above in self._above(unit):
            if self.units[path[-1]].kind == "street":
                break
            path.append(above)
        return tuple(path)

    def within(self, unit: str, ancestor: str) -> bool:
        """Whether a unit is the other one or lies below it."""
        return unit == ancestor or ancestor in self._above(unit)

    def subtree(self, unit: str) -> frozenset[str]:
        """The unit and everything below it."""
        found, todo = {unit}, [unit]
        while todo:
            below = self._children.get(todo.pop(), ())
            found.update(below)
            todo.extend(below)
        return frozenset(found)

    def offices(self, units: Collection[str]) -> frozenset[str]:
        """These units with the departments directly below them: a street acts by its offices."""
        return frozenset(units).union(*(self._departments.get(unit, ()) for unit in units))

    def offices_over(self, place: Sequence[str]) -> frozenset[str]:
        """Where those sit who oversee a place, told as the path up to its street: there or above.

        With the departments directly below each of these units.
        """
        return self.offices((*place, *self.ancestors(place[-1])))

    def communities(self, street: str, at: datetime) -> tuple[str, ...]:
        """Ids of the street's communities existing at this instant, sorted."""
        below = (self.units[unit] for unit in self.subtree(street))
        return tuple(sorted(u.id for u in below if u.kind == "community" and valid(u, at)))

    def scope_units(self, scope: str, place: str) -> tuple[str, ...]:
        """Units in which a lane's duty counts for a case at this place.

        scope `place`: the place and the units above it up to its community; `street`: its street.
        Raises BadInput for other scopes, which need the case to be answered.
        """
        path = self.path(place)
        if scope == "street":
            return tuple(unit for unit in path if self.units[unit].kind == "street")
        if scope == "place":
            below = tuple(u for u in path if self.units[u].kind not in ABOVE_COMMUNITIES)
            return below or (place,)
        raise BadInput(f"泳道范围 {scope} 不能由地点推出。", f"No place answers scope {scope}.")

    def posts_of(self, person: str, at: datetime) -> tuple[Post, ...]:
        """The posts a person holds at this instant."""
        return tuple(post for post in self._by_person.get(person, ()) if valid(post, at))

    def posts_ever(self, person: str) -> tuple[Post, ...]:
        """The posts a person holds, held or will hold."""
        return self._by_person.get(person, ())

    def posts_in(self, units: Collection[str], duty: str | None = None) -> list[Post]:
        """The posts of these units (of one duty, if one is named) at any time, as registered.

        Walks through the posts of the units, or of the duty where they are fewer, never all.
        """
        groups = [self._by_unit[unit] for unit in units if unit in self._by_unit]
        of_duty = () if duty is None else self._by_duty.get(duty, ())
        if duty is not None and len(of_duty) < sum(map(len, groups)):
            return [post for post in of_duty if post.unit in units]
        near = (p for group in groups for p in group if duty is None or duty in p.duties)
        return list(near) if len(groups) == 1 else _in_order(near)

    def posts_with(self, duties: Iterable[str]) -> list[Post]:
        """The posts with any of these duties at any time, in the order they were registered."""
        found = {post.id: post for duty in duties for post in self._by_duty.get(duty, ())}
        return _in_order(found.values())

    def capacities(self, person: str, at: datetime) -> tuple[Authority, ...]:
        """All a person may do at this instant: own posts first, then those of absent people."""
        own = ((post, None) for post in self.posts_of(person, at))
        lent = (
            (post, sub.absent)
            for sub in self._by_substitute.get(person, ())
            if valid(sub, at)
            for post in self.posts_of(sub.absent, at)
            if _covers(sub, post)
        )
        return tuple(
            Authority(person, post.id, post.unit, post.title, duty, absent)
            for post, absent in (*own, *lent)
            for duty in sorted(post.duties)
        )

    def authority(
        self,
        person: str,
        duty: str,
        units: Collection[str] | None,
        at: datetime,
        on_behalf_of: str | None = None,
    ) -> Authority | None:
        """The post by which this person may exercise a duty in one of these units, or None.

        duty: `any` = whatever post. units: None means anywhere. An own post comes before a
        substitution, unless `on_behalf_of` names whose post is meant. A substitute cannot pass the
        substitution on.
        """
        fitting = (
            held
            for held in self.capacities(person, at)
            if duty in (held.duty, ANY_POST)
            and (units is None or held.unit in units)
            and on_behalf_of in (None, held.on_behalf_of)
        )
        return next(fitting, None)

    def holders(self, duty: str, units: Collection[str], at: datetime) -> tuple[Authority, ...]:
        """Everybody who may exercise a duty in these units: holders first, then substitutes."""
        posts = [p for p in self.posts_in(units, duty) if valid(p, at)]
        own = [Authority(p.person, p.id, p.unit, p.title, duty) for p in posts]
        lent = [
            Authority(sub.substitute, post.id, post.unit, post.title, duty, post.person)
            for post in posts
            for sub in self.absences(post.id, at)
        ]
        return (*own, *lent)

    def absences(self, post: str, at: datetime) -> tuple[Substitution, ...]:
        """The substitutions by which somebody acts for the holder of this post now."""
        held = self.posts[post]
        subs = self._by_absent.get(held.person, ())
        return tuple(sub for sub in subs if valid(sub, at) and _covers(sub, held))

    def who_held(
        self,
        unit: str,
        day: date,
        *,
        duty: str | None = None,
        title: str | None = None,
        zone: str = "Asia/Shanghai",
    ) -> tuple[Tenure, ...]:
        """Who held posts of this unit at any moment of a local day, substitutes included."""
        first = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
        last = datetime.combine(day + timedelta(1), time(), ZoneInfo(zone)).astimezone(UTC)
        tenures = (
            tenure
            for post in self._by_unit.get(unit, ())
            if duty in (None, *post.duties) and title in (None, post.title)
            for tenure in self._tenures(post)
        )
        held = (t for t in tenures if t.since < last and (t.until is None or t.until > first))
        return tuple(sorted(held, key=lambda t: (t.since, t.post, t.person)))

    def _above(self, unit: str) -> Iterator[str]:
        above = self.unit(unit).parent
        while above is not None:
            yield above
            above = self.units[above].parent

    def _tenures(self, post: Post) -> Iterator[Tenure]:
        kept = (post.id, post.unit, post.title, post.duties)
        if post.until is None or post.since < post.until:
            yield Tenure(post.person, *kept, post.since, post.until)
        for sub in self._by_absent.get(post.person, ()):
            since = max(post.since, sub.since)
            until = sub.until if post.until is None else min(post.until, sub.until)
            if _covers(sub, post) and since < until:
                yield Tenure(sub.substitute, *kept, since, until, post.person)


def assemble(
    units: Iterable[Unit],
    posts: Iterable[Post],
    substitutions: Iterable[Substitution],
    names: Mapping[str, str],
) -> Directory:
    """A directory over these facts; posts by when they begin and id: who comes first comes first.

    The order of substitutions decides likewise.
    """
    units, posts, substitutions = tuple(units), tuple(posts), tuple(substitutions)
    duties = ((duty, post) for post in posts for duty in post.duties)
    return Directory(
        {unit.id: unit for unit in units},
        {post.id: post for post in posts},
        substitutions,
        names,
        _grouped((post.person, post) for post in posts),
        _grouped(duties),
        _grouped((post.unit, post) for post in posts),
        _grouped((sub.substitute, sub) for sub in substitutions),
        _grouped((sub.absent, sub) for sub in substitutions),
        _grouped((unit.parent, unit.id) for unit in units if unit.parent),
        _grouped(
            (unit.parent, unit.id) for unit in units if unit.parent and unit.kind == "department"
        ),
    )


def amended(
    known: Directory,
    units: Sequence[Unit],
    posts: Sequence[Post],
    substitutions: Sequence[Substitution],
    names: Mapping[str, str],
) -> Directory | None:
    """A directory with these put in place of those of the same id, new ones behind all others.

    What says where something belongs never changes: a post its person, unit and duties, a unit its
    parent and kind, a substitution its people. All in order, by when they begin and id. None if
    something new would have to stand before something old. Costs copies of the indexes.
    """
    subs = {sub.id: sub for sub in known.substitutions}
    if not (
        _stand_last(known.units, units)
        and _stand_last(known.posts, posts)
        and _stand_last(subs, substitutions)
    ):
        return None
    parents = [(unit.parent, unit) for unit in units if unit.parent and unit.id not in known.units]
    return Directory(
        {**known.units, **{unit.id: unit for unit in units}},
        {**known.posts, **{post.id: post for post in posts}},
        tuple({**subs, **{sub.id: sub for sub in substitutions}}.values()),
        {**known.names, **names},
        _regrouped(known._by_person, ((post.person, post) for post in posts)),
        _regrouped(known._by_duty, ((duty, post) for post in posts for duty in post.duties)),
        _regrouped(known._by_unit, ((post.unit, post) for post in posts)),
        _regrouped(known._by_substitute, ((sub.substitute, sub) for sub in substitutions)),
        _regrouped(known._by_absent, ((sub.absent, sub) for sub in substitutions)),
        _joined(known._children, ((above, unit.id) for above, unit in parents)),
        _joined(
            known._departments,
            ((above, unit.id) for above, unit in parents if unit.kind == "department"),
        ),
    )


def _stand_last(old: Mapping[str, _Lasting], new: Iterable[_Lasting]) -> bool:
    """Whether those that are not there yet begin behind all that are."""
    first = next((one for one in new if one.id not in old), None)
    if first is None or not old:
        return True
    last = old[list(old)[-1]]
    return (last.since, last.id) < (first.since, first.id)


def _regrouped(groups: Mapping[str, tuple[Any, ...]], changed: Iterable[tuple[str, Any]]) -> Any:
    """The groups with these in place of those of the same id, new ones last."""
    made = dict(groups)
    for key, new in changed:
        held = made.get(key, ())
        if any(one.id == new.id for one in held):
            made[key] = tuple(new if one.id == new.id else one for one in held)
        else:
            made[key] = (*held, new)
    return made


def _joined(groups: Mapping[str, tuple[str, ...]], added: Iterable[tuple[str, str]]) -> Any:
    made = dict(groups)
    for key, new in added:
        made[key] = (*made.get(key, ()), new)
    return made


def each_once(held: Iterable[Authority]) -> list[Authority]:
    """Each person once, by what stands first."""
    found: dict[str, Authority] = {}
    for one in held:
        found.setdefault(one.person, one)
    return list(found.values())


def _in_order(posts: Iterable[Post]) -> list[Post]:
    """As they stand in the register: by when they begin (engine.roster)."""
    return sorted(posts, key=lambda post: (post.since, post.id))


def _grouped(pairs: Iterable[tuple[str, Any]]) -> dict[str, tuple[Any, ...]]:
    groups: dict[str, list[Any]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}


def _covers(substitution: Substitution, post: Post) -> bool:
    return substitution.posts is None or post.id in substitution.posts
