"""Who did something, and the sentence that says it, as the interface tells them."""

from collections.abc import Sequence

from audit.reports.facts import Actor, CaseRecord, TimelineRow
from web.api.shapes import Bilingual, Named, Told
from web.sentences import timeline_sentence
from web.wording import Names, Segment


class Who(Told):
    """Who did it; person null: the machine, or somebody who is on no register.

    informant: the colleague whose act it was and who said so, where this person typed it.
    """

    person: Named | None
    unit: Named | None
    post: str | None
    capacity: str | None
    on_behalf_of: Named | None
    informant: Named | None
    channel: str | None


def who(actor: Actor, called: Names) -> Who:
    """Whoever did something, as the log has it, by the names of today."""

    def named(id_: str | None) -> Named | None:
        return Named(id=id_, name=called.person(id_)) if id_ else None

    return Who(
        person=named(actor.person),
        unit=Named(id=actor.unit, name=called.unit(actor.unit)) if actor.unit else None,
        post=called.post(actor.post) or None,
        capacity=actor.capacity,
        on_behalf_of=named(actor.on_behalf_of),
        informant=named(actor.informant.person) if actor.informant else None,
        channel=actor.channel,
    )


def words(segments: Sequence[Segment]) -> str:
    """A sentence as plain text."""
    return "".join(segment.text for segment in segments)


def sentence(record: CaseRecord, row: TimelineRow, called: Names) -> Bilingual:
    """What an entry of a case says, in both languages."""
    return Bilingual(
        zh=words(timeline_sentence(record, row, called, "zh")),
        en=words(timeline_sentence(record, row, called, "en")),
    )
