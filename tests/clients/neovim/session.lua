-- What a person does in Neovim, as a script: opens a kernel of the library, sees hints and lenses, makes a size error, applies
-- its fix, renames an index in algorithm and schedule, formats, runs. VINCI names the command, KERNEL a copy of stdlib/kernels/softmax.vn that may be written. Prints `ok` and a line for each step; ends with
-- status 1 at the first step that fails.

local function fail(what)
  io.stdout:write("FAILED: " .. what .. "\n")
  vim.cmd("cquit 1")
end

local function check(what, holds)
  if not holds then
    fail(what)
  end
  io.stdout:write("ok: " .. what .. "\n")
end

local function wait(what, ready)
  if not vim.wait(20000, ready, 20) then
    fail("waiting for " .. what)
  end
end

vim.filetype.add({ extension = { vn = "vinci" } })
vim.lsp.config("vinci", { cmd = { vim.env.VINCI, "lsp" }, filetypes = { "vinci" } })
vim.lsp.enable("vinci")
vim.cmd("filetype on")
vim.cmd.edit(vim.env.KERNEL)
local buffer = vim.api.nvim_get_current_buf()
wait("the server", function()
  return #vim.lsp.get_clients({ bufnr = buffer }) == 1
end)
local client = vim.lsp.get_clients({ bufnr = buffer })[1]
wait("its answer to initialize", function()
  return client.initialized
end)

local function document()
  return { textDocument = vim.lsp.util.make_text_document_params(buffer) }
end

local function ask(method, params)
  local answer = client:request_sync(method, params, 20000, buffer)
  if not answer or answer.err then
    fail(method .. ": " .. vim.inspect(answer))
  end
  return answer.result
end

local function lines()
  return vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
end

local function find(text)
  for row, line in ipairs(lines()) do
    local column = line:find(text, 1, true)
    if column then
      return row - 1, column - 1
    end
  end
  fail("`" .. text .. "` is not in the text")
end

local function at(text, behind)
  local row, column = find(text)
  local params = document()
  params.position = { line = row, character = column + (behind or 0) }
  return params
end

-- Inlay hints and the lens with its cycles.
local all = document()
all.range = { start = { line = 0, character = 0 }, ["end"] = { line = #lines(), character = 0 } }
local hints = ask("textDocument/inlayHint", all)
check("inlay hints tell types", #hints > 0 and hints[1].label:find("f32") ~= nil)
local title
wait("a lens with cycles", function()
  for _, lens in ipairs(ask("textDocument/codeLens", document())) do
    if lens.command.title:find("cycles") then
      title = lens.command.title
      return true
    end
  end
end)
check("the lens says: " .. title, true)

-- A size error, with its code and place.
local row, column = find("x[r, c] as f32 - top[r]")
vim.api.nvim_buf_set_text(buffer, row, column, row, column + 7, { "x[c, r]" })
wait("a diagnostic", function()
  return #vim.diagnostic.get(buffer) > 0
end)
local found = vim.diagnostic.get(buffer)[1]
check("the size error is " .. tostring(found.code) .. " on its line", found.code == "E0304" and found.lnum == row)
local start = lines()[row + 1]:find("top[r]", 1, true)
check("the size error is at its place, the other use of the index", found.col == start + 3)
-- The fix, as a person takes it: the quick fix at the diagnostic, of a size error the preferred one.
local function fix(what, preferred)
  vim.api.nvim_win_set_cursor(0, { found.lnum + 1, found.col })
  vim.lsp.buf.code_action({
    apply = true,
    context = { only = { "quickfix" } },
    filter = function(action)
      return action.isPreferred or not preferred
    end,
  })
  wait("no diagnostic after " .. what, function()
    return #vim.diagnostic.get(buffer) == 0
  end)
end
fix("the fix of the size error", true)
check("the fix exchanges the indices", lines()[row + 1]:find("x[r, c] as f32 - top[r]", 1, true) ~= nil)

-- A misspelt name, and its fix.
row, column = find("f32 - top[r])")
vim.api.nvim_buf_set_text(buffer, row, column + 6, row, column + 9, { "topp" })
wait("a diagnostic", function()
  return #vim.diagnostic.get(buffer) > 0
end)
found = vim.diagnostic.get(buffer)[1]
check("the misspelt name is " .. tostring(found.code), found.code ~= nil and found.lnum == row)
fix("the fix of the name", false)
check("the fix is right", table.concat(lines(), "\n"):find("as f32 - top[r])", 1, true) ~= nil)

-- Refactorings: a definition of a part, made and taken back by its own inlining.
row, column = find("x[r, c] as f32 - top[r]")
local function refactor(kind, start, stop)
  local params = document()
  params.range = { start = { line = row, character = start }, ["end"] = { line = row, character = stop } }
  params.context = { diagnostics = {}, only = { kind } }
  local action = ask("codeAction/resolve", ask("textDocument/codeAction", params)[1])
  vim.lsp.util.apply_workspace_edit(action.edit, client.offset_encoding)
end
refactor("refactor.extract", column, column + #"x[r, c] as f32 - top[r]")
check("a part becomes a definition", lines()[row + 1]:find("let part[r, c] = x[r, c] as f32 - top[r];", 1, true) ~= nil)
refactor("refactor.inline", (lines()[row + 1]:find("part", 1, true)) - 1, (lines()[row + 1]:find("part", 1, true)) - 1)
check("and goes again", lines()[row + 1]:find("(x[r, c] as f32 - top[r])", 1, true) ~= nil)
vim.api.nvim_buf_call(buffer, function()
  vim.cmd("silent undo")
  vim.cmd("silent undo")
end)
check("both are taken back", lines()[row + 1]:find("exp(x[r, c] as f32 - top[r])", 1, true) ~= nil)

-- An index renamed in the algorithm and in the schedule.
vim.api.nvim_buf_set_lines(buffer, -1, -1, false, { "", "schedule softmax for 910b2 {", "    grid top.r: 8;", "    pad top to 1024;", "}" })
params = at("let top[r]", 8)
params.newName = "row"
vim.lsp.util.apply_workspace_edit(ask("textDocument/rename", params), client.offset_encoding)
local text = table.concat(lines(), "\n")
check("the algorithm has the new name", text:find("top[row]", 1, true) ~= nil)
check("the schedule has the new name", text:find("grid top.row: 8", 1, true) ~= nil)

-- Formatting.
row, column = find("= max(c)")
vim.api.nvim_buf_set_text(buffer, row, column + 1, row, column + 2, { "    " })
params = document()
params.options = { tabSize = 4, insertSpaces = true }
vim.lsp.util.apply_text_edits(ask("textDocument/formatting", params), buffer, client.offset_encoding)
check("formatting mends spaces", table.concat(lines(), "\n"):find("= max(c) x[row, c]", 1, true) ~= nil)

-- What a line costs, behind it.
wait("a hint of what a line costs", function()
  ask("textDocument/hover", at("= exp(x[", 3))
  for _, lens in ipairs(ask("textDocument/codeLens", document())) do
    title = lens.command.title
  end
  for _, hint in ipairs(ask("textDocument/inlayHint", all)) do
    if hint.label:find("cycles") then
      return true
    end
  end
end)
check("hints tell what lines cost", true)

-- A level beside the source: the server has the client show it.
for _, lens in ipairs(ask("textDocument/codeLens", document())) do
  if lens.command.command == "vinci.showAssembly" then
    ask("workspace/executeCommand", { command = lens.command.command, arguments = lens.command.arguments })
  end
end
wait("the assembly in a window", function()
  return vim.api.nvim_buf_get_name(0):find("%.vasm$") ~= nil or #vim.fn.getbufinfo("softmax.vasm") > 0
end)
check("the assembly is shown", true)
vim.api.nvim_set_current_buf(buffer)

-- The run behind the lens, as the lens has it.
local ran = false
for _, lens in ipairs(ask("textDocument/codeLens", document())) do
  if lens.command.command == "vinci.run" then
    local report = ask("workspace/executeCommand", { command = "vinci.run", arguments = lens.command.arguments })
    check("the run reports cycles", report.text:find("cycles") ~= nil)
    check("no bit is wrong", report.text:find("every bit as the evaluator has it", 1, true) ~= nil)
    ran = true
  end
end
check("the lens runs the kernel", ran)
vim.cmd("qall!")
