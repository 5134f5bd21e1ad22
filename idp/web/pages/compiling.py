"""Templates compiled for one language and one brand: what is known by then is put in once. No page is read here.

A template calls parts (macros), says sentences and asks what the brand is. jinja2 does that anew for each page that is
shown, which takes longer than all that differs from page to page; here it is done when the template is compiled.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from jinja2 import Environment, nodes
from jinja2.compiler import has_safe_repr
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

_VALUE = re.compile(r"%\((\w+)\)s")
_CALLERS = frozenset({"caller", "varargs", "kwargs"})
Body = Sequence[nodes.Node]
Kind = TypeVar("Kind", bound=nodes.Node)


class Compiler(Environment):
    """Templates of one language and brand: `known` by name, `said` by pure functions, `words` of a sentence."""

    known: Mapping[str, Any]
    said: Mapping[str, Callable[..., Any]]
    words: Callable[[str], str]

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        template = super()._parse(source, name, filename)
        own = _stored(template.body)
        known = {each: value for each, value in self.known.items() if each not in own}
        imports = [(each, _macros(self, where)) for each, where in _imports(template)]
        parts = {name: macro for _, beside in imports for name, macro in beside.items()}
        _Compiled(self, name, known, {} if own & parts.keys() else parts).visit(template)
        called = _loaded(template.body)
        for imported, beside in imports:
            imported.names[:] = sorted(called & beside.keys())
            if not imported.names:
                template.body.remove(imported)
        template.set_environment(self)
        return template


class _Compiled(NodeTransformer):
    """Puts in what is known, and takes out what it decides."""

    def __init__(
        self, compiler: Compiler, name: str | None, known: Mapping[str, Any], parts: Mapping[str, nodes.Macro]
    ) -> None:
        self._context = nodes.EvalContext(compiler, name)
        self._known = known
        self._said = compiler.said
        self._words = compiler.words
        self._parts = parts

    def _value(self, node: nodes.Expr) -> Any:  # noqa: ANN401 - of whatever type it is
        """What it comes to. Raises `nodes.Impossible` as long as that is not known."""
        if isinstance(node, nodes.Name) and node.name in self._known:
            return self._known[node.name]
        return node.as_const(self._context)

    def _all(self, body: Body) -> list[nodes.Node]:
        return [done for each in body for done in self.visit_list(each)]

    def generic_visit(self, node: nodes.Node, *_: object, **__: object) -> nodes.Node:
        """An expression becomes what it comes to."""
        super().generic_visit(node)
        if not isinstance(node, nodes.Expr) or isinstance(node, nodes.TemplateData):
            return node
        try:
            value = self._value(node)
        except nodes.Impossible:
            return node
        return nodes.Const(value) if has_safe_repr(value) else node

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802 - as jinja2 names it, and the others
        """A name."""
        return self.generic_visit(node) if node.ctx == "load" else node

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802
        """`brand.name`."""
        match self.generic_visit(node):
            case nodes.Getattr(node=nodes.Name(name=name), attr=attr) if name in self._known:
                return nodes.Const(getattr(self._known[name], attr))
            case other:
                return other

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        """`_("Sign in")`."""
        super().generic_visit(node)
        match node:
            case nodes.Call(node=nodes.Name(name=name), args=args, kwargs=[]) if name in self._said:
                try:
                    return nodes.Const(self._said[name](*map(self._value, args)))
                except nodes.Impossible:
                    return node
            case _:
                return node

    def visit_If(self, node: nodes.If) -> nodes.Node | Body:  # noqa: N802
        """Only what can come about is kept."""
        if node.elif_:
            following, *later = node.elif_
            node.else_, node.elif_ = [nodes.If(following.test, following.body, later, node.else_)], []
        node.test = self.visit(node.test)
        if isinstance(node.test, nodes.Const):
            return self._all(node.body if node.test.value else node.else_)
        node.body, node.else_ = self._all(node.body), self._all(node.else_)
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node | Body:  # noqa: N802
        """`for value, own in choices` once for each."""
        match node:
            case nodes.For(iter=nodes.Name(name=name), target=nodes.Tuple(items=targets), test=None) if (
                name in self._known and "loop" not in _loaded(node.body)
            ):
                names = [each.name for each in targets if isinstance(each, nodes.Name)]
                rows = [dict(zip(names, map(nodes.Const, row), strict=True)) for row in self._known[name]]
                return [done for row in rows for done in self._all(_copied(node.body, row))]
            case _:
                return super().generic_visit(node)

    def visit_Output(self, node: nodes.Output) -> Body:  # noqa: N802
        """Text and what is put into it: parts and sentences as what they are made of."""
        done: list[nodes.Node] = []
        text = nodes.Output([])
        for each in map(self.visit, node.nodes):
            match each:
                case nodes.Call(node=nodes.Name(name="_"), args=[nodes.Const(value=str() as sentence)]):
                    pieces = self._sentence(each, sentence)
                case nodes.Call(node=nodes.Name(name=name)) if name in self._parts:
                    pieces = self._part(each, self._parts[name])
                case _:
                    pieces = [each]
            for piece in pieces:
                if isinstance(piece, nodes.Expr | nodes.Output):
                    if text not in done[-1:]:
                        text = nodes.Output([])
                        done.append(text)
                    text.nodes += piece.nodes if isinstance(piece, nodes.Output) else [piece]
                else:
                    done.append(piece)
        return done

    def _sentence(self, call: nodes.Call, sentence: str) -> Body:
        """The words between the values, which are escaped as any value is."""
        text, *rest = _VALUE.split(self._words(sentence))
        values = {each.key: each.value for each in call.kwargs}
        if "%" in "".join((text, *rest[1::2])) or not set(rest[::2]) <= values.keys():
            return [call]
        pieces: list[nodes.Node] = [nodes.TemplateData(text)]
        for name, words in zip(rest[::2], rest[1::2], strict=True):
            pieces += [_copied(values[name], {}), nodes.TemplateData(words)]
        return pieces

    def _part(self, call: nodes.Call, macro: nodes.Macro) -> Body:
        """The body of a macro, with what it is called with in its places."""
        names = [each.name for each in macro.args]
        given = dict(zip(names[::-1], macro.defaults[::-1], strict=False))
        given |= dict(zip(names, call.args, strict=False)) | {each.key: each.value for each in call.kwargs}
        if given.keys() != set(names) or call.dyn_args or call.dyn_kwargs or _CALLERS & set(_loaded(macro.body)):
            return [call]
        stored = _stored(macro.body)
        put_in: dict[str, nodes.Expr] = {}
        kept: dict[str, nodes.Expr] = {}
        for name, value in given.items():
            means_the_same = isinstance(value, nodes.Const) or (
                isinstance(value, nodes.Name) and (value.name == name or value.name not in stored | given.keys())
            )
            (put_in if means_the_same and name not in stored else kept)[name] = value
        body = _copied(macro.body, put_in)
        targets = [nodes.Name(name, "param") for name in kept]
        return self._all([nodes.With(targets, list(kept.values()), body)] if kept or stored else body)


@cache
def _macros(environment: Environment, template: str) -> dict[str, nodes.Macro]:
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, template)
    return {macro.name: macro for macro in Parser(environment, source, template).parse().find_all(nodes.Macro)}


def _imports(template: nodes.Template) -> Iterator[tuple[nodes.FromImport, str]]:
    """Where macros are imported from, as they are and by their own names."""
    for each in template.body:
        match each:
            case nodes.FromImport(template=nodes.Const(value=where), names=names, with_context=False):
                if all(isinstance(name, str) for name in names):
                    yield each, where


def _loaded(body: Iterable[nodes.Node]) -> set[str]:
    return {name.name for name in _within(body, nodes.Name) if name.ctx == "load"}


def _stored(body: Iterable[nodes.Node]) -> set[str]:
    """Every name that stands for something else in here than outside."""
    names = {name.name for name in _within(body, nodes.Name) if name.ctx != "load"}
    return names | {macro.name for macro in _within(body, nodes.Macro)}


def _within(body: Iterable[nodes.Node], kind: type[Kind]) -> Iterator[Kind]:
    for each in body:
        if isinstance(each, kind):
            yield each
        yield from each.find_all(kind)


def _copied(node: Any, given: Mapping[str, nodes.Expr]) -> Any:  # noqa: ANN401 - fields hold nodes, lists and text
    """The same again, with what is given instead of names."""
    match node:
        case nodes.Name(ctx="load", name=name) if name in given:
            return _copied(given[name], {})
        case nodes.Node():
            return type(node)(*(_copied(value, given) for _, value in node.iter_fields()), lineno=node.lineno)
        case list() | tuple():
            return type(node)(_copied(each, given) for each in node)
        case _:
            return node
