"""What leaves the filter: text in its channel and in order, held back whole while its beginning may be a thought."""

from ..fragments import Fragment, Reasoning, Text
from .harvest import Channel
from .prose import Prose

# How much of the beginning is held, in families whose template opens the thought, waiting for its closing tag.
MAX_OPENING = 4096


class Said:
    """What one channel has said so far."""

    def __init__(self, *, may_begin_call: bool, before: str = "") -> None:
        self.prose = Prose()
        if before:
            self.prose.add(before)
        self.has_words = False  # anything but white space
        self.may_begin_call = may_begin_call  # nothing was said yet: only there may a call stand without any mark


class Outgoing:
    """Collects what is said in two channels, as fragments.

    `may_begin_call` is whether a call may stand at the beginning without any mark. `takes_up` is the visible text of
    which this is the rest. While `is_undecided`, nothing is given out: the beginning may turn out to be a thought.
    """

    def __init__(self, *, may_begin_call: bool, takes_up: str, is_undecided: bool) -> None:
        self._may_begin_answer_with_call = may_begin_call and not takes_up
        self._takes_up = takes_up
        self.said: dict[Channel, Said] = {Text: self._unsaid(), Reasoning: Said(may_begin_call=may_begin_call)}
        self.channel: Channel = Text
        self.gap = ""  # white space behind a rescued call, dropped if nothing follows it
        self.is_undecided = is_undecided
        self.passed_on = False  # visible text was given out
        self._fragments: list[Fragment] = []
        self._saying: list[str] = []  # the run that will be the next fragment, of `channel`
        self._undecided_length = 0

    @property
    def present(self) -> Said:
        """What the present channel has said."""
        return self.said[self.channel]

    def turn_to(self, channel: Channel) -> None:
        """What is said from now on belongs to this channel."""
        if channel is not self.channel:
            self._flush()
            self.channel = channel

    def say(self, text: str) -> None:
        """Text of the present channel, behind the gap."""
        if self.gap:
            text, self.gap = self.gap + text, ""
        self._saying.append(text)
        said = self.present
        said.prose.add(text)
        said.has_words = said.has_words or not text.isspace()
        if self.is_undecided:
            self._undecided_length += len(text)
            self.is_undecided = self._undecided_length <= MAX_OPENING

    def put(self, fragment: Fragment) -> None:
        """Anything else, behind what was said."""
        self._flush()
        self._fragments.append(fragment)

    def begin_answer(self) -> None:
        """A thought has ended: the answer behind it may be nothing but a call, without any mark."""
        self.present.may_begin_call = self._may_begin_answer_with_call

    def recast_as_thought(self) -> None:
        """All visible text that is still held was a thought, and nothing visible has been said."""
        self._flush()
        self._fragments = [Reasoning(said.text) if isinstance(said, Text) else said for said in self._fragments]
        self.said[Text] = self._unsaid()

    def take(self) -> list[Fragment]:
        """What can be given out now."""
        if self.is_undecided:
            return []
        self._flush()
        self.passed_on = self.said[Text].has_words
        fragments, self._fragments = self._fragments, []
        return fragments

    def _unsaid(self) -> Said:
        """The visible text before any of it has come."""
        return Said(may_begin_call=self._may_begin_answer_with_call, before=self._takes_up)

    def _flush(self) -> None:
        if self._saying:
            self._fragments.append(self.channel("".join(self._saying)))
            self._saying.clear()
