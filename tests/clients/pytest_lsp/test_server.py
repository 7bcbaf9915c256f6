"""What a person does in an editor, by the protocol."""

import asyncio
import re

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from conftest import Text

pytestmark = pytest.mark.asyncio


def edits_of(edit, text):
    """The edits of a document; clients that can get them with the version that they are for."""
    if not edit.document_changes:
        return edit.changes[text.uri]
    (change,) = edit.document_changes
    assert change.text_document.uri == text.uri and change.text_document.version is not None
    return change.edits


async def test_says_what_it_can_do_for_this_client(client):
    abilities = client.abilities
    assert abilities.hover_provider and abilities.rename_provider and abilities.code_lens_provider
    assert abilities.position_encoding == ("utf-8" if client.profile == "neovim" else "utf-16")
    assert bool(abilities.diagnostic_provider) == (client.profile == "vscode")
    assert abilities.workspace.workspace_folders.supported


async def test_a_size_error_comes_and_goes(client, opened):
    text = opened()
    assert await text.diagnostics() == []
    text.change("b[k, n]", "b[n, k]")
    found = await text.diagnostics()
    assert found and found[0].code == "E0304"
    assert found[0].range.start.line == text.find("b[n, k]").line
    # The other place is named only to clients that show it.
    assert bool(found[0].related_information) == (client.profile != "minimal")
    text.change("b[n, k]", "b[k, n]")
    assert await text.diagnostics() == []


async def test_columns_are_counted_in_the_client_s_units(client, opened):
    text = opened("wide.vn", '/// é𝄞\npub kernel k<M>(x: f32[M]) -> y: f32[M] {\n    /* é𝄞 */ y[m] = x[m] + zz[m];\n}\n'.replace("/* é𝄞 */ ", ""))
    found = await text.diagnostics()
    assert found[0].range.start == text.find("zz")
    text.change("x[m] + zz[m];", "x[m]; // é𝄞 zz")
    text.change("zz", "é")
    assert await text.diagnostics() == []


async def test_hover_definition_references(client, opened):
    text = opened()
    place = text.find("acc[m, n] /")
    hover = await client.text_document_hover_async(types.HoverParams(text_document=text.id, position=place))
    assert "acc: f32[M, N]" in hover.contents.value
    definition = await client.text_document_definition_async(
        types.DefinitionParams(text_document=text.id, position=place)
    )
    assert definition.range.start == text.find("acc[m, n]:")
    references = await client.text_document_references_async(
        types.ReferenceParams(
            text_document=text.id, position=place, context=types.ReferenceContext(include_declaration=True)
        )
    )
    assert len(references) == text.text.count("acc[")


async def test_completion_and_signature(client, opened):
    text = opened()
    text.change("abs(acc[m, n])", "abs(ac")
    answer = await client.text_document_completion_async(
        types.CompletionParams(text_document=text.id, position=text.find("abs(ac", 6))
    )
    items = answer if isinstance(answer, (list, tuple)) else answer.items
    assert "acc" in [item.label for item in items]
    assert all(item.insert_text_format != types.InsertTextFormat.Snippet for item in items)
    text.change("abs(ac", "sigmoid(")
    help_ = await client.text_document_signature_help_async(
        types.SignatureHelpParams(text_document=text.id, position=text.find("sigmoid(", 8))
    )
    assert help_.signatures[0].label.startswith(("pub fn sigmoid", "fn sigmoid"))


async def test_rename_and_format(client, opened):
    text = opened()
    edit = await client.text_document_rename_async(
        types.RenameParams(text_document=text.id, position=text.find("top[m]"), new_name="peak")
    )
    after = text.apply(edits_of(edit, text))
    assert "top" not in after.split("pub kernel")[1] and after.count("peak") == 2
    with pytest.raises(JsonRpcException):
        await client.text_document_rename_async(
            types.RenameParams(text_document=text.id, position=text.find("top[m]"), new_name="kernel")
        )
    text.change("y[m, n] = (", "y[m,n]=(")
    edits = await client.text_document_formatting_async(
        types.DocumentFormattingParams(
            text_document=text.id, options=types.FormattingOptions(tab_size=4, insert_spaces=True)
        )
    )
    assert "    y[m, n] = (acc" in text.apply(edits)


async def test_a_misspelt_name_has_a_fix(client, opened):
    text = opened()
    text.change("acc[m, n] /", "accu[m, n] /")
    found = await text.diagnostics()
    assert found
    actions = await client.text_document_code_action_async(
        types.CodeActionParams(
            text_document=text.id, range=found[0].range, context=types.CodeActionContext(diagnostics=found)
        )
    )
    after = text.apply(edits_of(actions[0].edit, text))
    assert "acc[m, n] /" in after and "accu" not in after


async def test_the_lens_has_the_cycles_of_the_run(client, opened):
    text = opened()
    lens = await text.lens("cycles")
    shown = lens.command.title.split("·")[1].split("cycles")[0].strip()
    report = await client.workspace_execute_command_async(
        types.ExecuteCommandParams(command=lens.command.command, arguments=lens.command.arguments)
    )
    assert "every bit as the evaluator has it" in report["text"]
    digits = "".join(c for c in shown if c.isdigit())
    assert digits in report["text"].replace(" ", "").replace(",", "")
    for title, word in [("show tile form", "tile"), ("show assembly", ".kernel")]:
        lens = await text.lens(title)
        shown = await client.workspace_execute_command_async(
            types.ExecuteCommandParams(command=lens.command.command, arguments=lens.command.arguments)
        )
        assert shown["language"] in ("vinci-tile", "vinci-asm") and len(shown["text"]) > 100, word


async def test_configuration_gives_target_and_sizes(client, opened):
    text = opened()
    first = (await text.lens("cycles")).command.title
    assert "M=64" in first
    settings = {"vinci": {"target": "910b2", "sizes": {"M": 128, "NOT": 3}}}
    client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=settings))
    second = (await text.lens("M=128")).command.title
    assert second != first
    settings = {"vinci": {"target": "310p", "sizes": {"M": 128}}}
    client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=settings))
    for _ in range(500):
        lens = await text.lens("run in emulator")
        if lens.command.title != second and "·" in lens.command.title:
            return
        await asyncio.sleep(0.02)
    pytest.fail("another chip gives the same lens")


async def test_cancelled_requests_are_answered_as_such(client, opened):
    text = opened()
    lens = await text.lens("run in emulator")
    params = types.ExecuteCommandParams(command=lens.command.command, arguments=lens.command.arguments)
    request = client.protocol.send_request_async("workspace/executeCommand", params, msg_id="slow")
    task = asyncio.ensure_future(request)
    await asyncio.sleep(0)
    client.cancel_request(types.CancelParams(id="slow"))
    with pytest.raises((JsonRpcException, asyncio.CancelledError)):
        await task
    # The session goes on.
    assert await text.diagnostics() == []


async def test_two_roots_and_their_symbols(client, opened, tmp_path):
    (tmp_path / "other.vn").write_text("pub kernel elsewhere<M>(x: f32[M]) -> y: f32[M] { y[m] = x[m]; }\n")
    opened()
    ask = lambda: client.workspace_symbol_async(types.WorkspaceSymbolParams(query="elsewhere"))
    assert not await ask()
    event = types.WorkspaceFoldersChangeEvent(
        added=[types.WorkspaceFolder(uri=tmp_path.as_uri(), name="other")], removed=[]
    )
    client.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(event=event))
    assert [symbol.name for symbol in await ask()] == ["elsewhere"]
    event = types.WorkspaceFoldersChangeEvent(added=[], removed=event.added)
    client.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(event=event))
    assert not await ask()


async def test_a_change_of_a_neighbour_is_seen(client, opened):
    nn = opened("nn.vn", "/// Twice.\npub fn twice(x: f32) -> f32 {\n    x + x\n}\n")
    user = opened("user.vn", "use nn::twice;\n\n/// k.\npub kernel k<M>(x: f32[M]) -> y: f32[M] {\n    y[m] = twice(x[m]);\n}\n")
    assert [one for one in await user.diagnostics() if one.severity == types.DiagnosticSeverity.Error] == []
    nn.change("fn twice", "fn thrice")
    for _ in range(200):
        if client.profile == "vscode":
            found = await user.diagnostics()
        else:
            note = client.published.get(user.uri)
            found = note.diagnostics if note else []
        if any(one.severity == types.DiagnosticSeverity.Error for one in found):
            break
        await asyncio.sleep(0.02)
    assert any("twice" in one.message for one in found)
    if client.profile == "vscode":
        assert client.diagnostic_refresh_count > 0


async def test_a_size_error_is_fixed(client, opened):
    text = opened()
    text.change("b[k, n]", "b[n, k]")
    found = await text.diagnostics()
    actions = await client.text_document_code_action_async(
        types.CodeActionParams(
            text_document=text.id,
            range=found[0].range,
            context=types.CodeActionContext(diagnostics=found, only=[types.CodeActionKind.QuickFix]),
        )
    )
    assert actions[0].is_preferred
    assert "a[m, k] * b[k, n]" in text.apply(edits_of(actions[0].edit, text))


async def refactored(client, text, kind, word, behind=0):
    """The text after the first refactoring of a kind, its edit asked for if this client does that."""
    start, end = text.find(word), text.find(word, behind)
    actions = await client.text_document_code_action_async(
        types.CodeActionParams(
            text_document=text.id,
            range=types.Range(start=start, end=end),
            context=types.CodeActionContext(diagnostics=[], only=[kind]),
        )
    )
    action = actions[0]
    if action.edit is None:
        action = await client.code_action_resolve_async(action)
    return text.apply(edits_of(action.edit, text))


async def test_refactorings(client, opened):
    text = opened()
    part = "abs(acc[m, n])"
    after = await refactored(client, text, types.CodeActionKind.RefactorExtract, part, len(part))
    assert "let part[m, n] = abs(acc[m, n]);\n    let top[m] = max(n) part[m, n];" in after
    after = await refactored(client, text, types.CodeActionKind.RefactorInline, "top[m] =")
    assert "let top" not in after and "max((max(n2) abs(acc[m, n2])), 1e-6)" in after
    after = await refactored(client, text, types.CodeActionKind.RefactorRewrite, "top[m] =")
    assert "let top[m]: f32 = max(n)" in after


async def test_type_definition(client, opened):
    text = opened()
    places = await client.text_document_type_definition_async(
        types.TypeDefinitionParams(text_document=text.id, position=text.find("acc[m, n] /"))
    )
    assert [place.range.start for place in places] == [text.find("M, K, N>"), text.find("N>")]


async def test_a_schedule_is_written_down(client, opened):
    text = opened()
    ask = lambda: client.workspace_execute_command_async(
        types.ExecuteCommandParams(command="vinci.writeSchedule", arguments=[text.uri, "scaled"])
    )
    if client.profile == "minimal":
        with pytest.raises(JsonRpcException):
            await ask()
        return
    await ask()
    for _ in range(200):
        if client.applied:
            break
        await asyncio.sleep(0.02)
    after = text.apply(edits_of(client.applied[0], text))
    assert "}\n\nschedule scaled for 910b2 {" in after


async def test_levels_are_texts_without_a_file(client, opened):
    text = opened()
    lens = await text.lens("show tile form")
    await client.workspace_execute_command_async(
        types.ExecuteCommandParams(command=lens.command.command, arguments=lens.command.arguments)
    )
    if client.profile != "minimal":
        for _ in range(200):
            if client.shown:
                break
            await asyncio.sleep(0.02)
        assert client.shown[0].startswith(("vinci:", "file:")) and ".tile" in client.shown[0]
    from urllib.parse import quote

    address = f"vinci:/scaled.tile?of={quote(text.uri, safe='')}"
    answer = await client.workspace_text_document_content_async(types.TextDocumentContentParams(uri=address))
    assert "tile scaled@910b2" in answer.text


async def test_a_module_gets_another_name(client, opened):
    nn = opened("nn.vn", "/// Twice.\npub fn twice(x: f32) -> f32 {\n    x + x\n}\n")
    user = opened("user.vn", "use nn::twice;\n\n/// k.\npub kernel k<M>(x: f32[M]) -> y: f32[M] {\n    y[m] = twice(x[m]);\n}\n")
    files = [types.FileRename(old_uri=nn.uri, new_uri=nn.uri.replace("nn.vn", "net.vn"))]
    edit = await client.workspace_will_rename_files_async(types.RenameFilesParams(files=files))
    assert user.apply(edits_of(edit, user)).startswith("use net::twice;")


async def test_symbols_are_resolved(client, opened):
    opened()
    (symbol,) = await client.workspace_symbol_async(types.WorkspaceSymbolParams(query="scal"))
    if not hasattr(symbol.location, "range"):
        symbol = await client.workspace_symbol_resolve_async(symbol)
    assert symbol.location.range.start.line == 3


async def test_unknown_methods_are_refused(client):
    with pytest.raises(JsonRpcException) as refused:
        await client.protocol.send_request_async("vinci/nothing", {})
    assert refused.value.code == -32601


async def test_tile_form_and_assembly(client, opened):
    kernel = opened()
    shown = {}
    for title in ["show tile form", "show assembly"]:
        lens = await kernel.lens(title)
        answer = await client.workspace_execute_command_async(
            types.ExecuteCommandParams(command=lens.command.command, arguments=lens.command.arguments)
        )
        shown[answer["language"]] = answer["text"]
    tile = opened("k.tile", shown["vinci-tile"], "vinci-tile")
    assert await tile.diagnostics() == []
    assembly = opened("k.vasm", shown["vinci-asm"], "vinci-asm")
    assert await assembly.diagnostics() == []
    hover = await client.text_document_hover_async(
        types.HoverParams(text_document=assembly.id, position=assembly.find("mmad", 1))
    )
    assert "mmad" in hover.contents.value
    # Names of tile form: the line that declares one, its places, another name.
    names = re.findall(r"buf (\w+):", tile.text)
    name = next(name for name in names if not re.search(rf"(in|out|work) {name}:", tile.text))
    place = tile.find(f"buf {name}:", 4)
    hover = await client.text_document_hover_async(types.HoverParams(text_document=tile.id, position=place))
    assert f"buf {name}:" in hover.contents.value
    references = await client.text_document_references_async(
        types.ReferenceParams(
            text_document=tile.id, position=place, context=types.ReferenceContext(include_declaration=True)
        )
    )
    assert len(references) > 1
    definition = await client.text_document_definition_async(
        types.DefinitionParams(text_document=tile.id, position=references[-1].range.start)
    )
    assert definition.range.start == place
    edit = await client.text_document_rename_async(
        types.RenameParams(text_document=tile.id, position=place, new_name="renamed")
    )
    tile.text = tile.apply(edits_of(edit, tile))
    again = Text(client, "again.tile", tile.text, "vinci-tile")
    assert await again.diagnostics() == [] and f"buf {name}:" not in again.text
