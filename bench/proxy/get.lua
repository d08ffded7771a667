-- Requests as a browser sends them to notebook servers, for wrk: wrk -s get.lua URL -- USERS
-- Each goes to a random user, asks for one of 64 notebooks there with a query that never comes twice, and has one of
-- 64 sets of the headers that differ from one request to the next.

local VARIANTS = 64
local users = 1
local paths = {}
local rests = {}
-- Milliseconds, as JupyterLab adds them against caches.
local now = 1767607200000

local function hex(length)
  local digits = {}
  for place = 1, length do
    digits[place] = string.format("%x", math.random(0, 15))
  end
  return table.concat(digits)
end

local function rest(authority)
  return table.concat({
    " HTTP/1.1",
    "Host: " .. authority,
    "Connection: keep-alive",
    "sec-ch-ua-platform: \"Linux\"",
    "sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\", \"Google Chrome\";v=\"140\"",
    "sec-ch-ua-mobile: ?0",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Accept: application/json, text/javascript, */*; q=0.01",
    "Content-Type: application/json",
    "X-XSRFToken: 2|" .. hex(8) .. "|" .. hex(32) .. "|1767607200",
    "X-Request-ID: " .. hex(32),
    "If-None-Match: \"" .. hex(40) .. "\"",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Dest: empty",
    "Referer: http://" .. authority .. "/user/somebody/lab/tree/notebooks/" .. hex(12) .. ".ipynb",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
    "Cookie: _xsrf=2|" .. hex(8) .. "|" .. hex(32) .. "|1767607200; jupyterhub-session-id=" .. hex(32)
      .. "; jupyterhub-user-somebody=\"2|1:0|10:1767607200|24:" .. hex(100) .. "\"",
    "", "",
  }, "\r\n")
end

function init(arguments)
  users = tonumber(arguments[1])
  for variant = 1, VARIANTS do
    paths[variant] = "/api/contents/notebooks/" .. hex(12) .. ".ipynb?content=0&hash=0&"
    rests[variant] = rest(wrk.host .. ":" .. wrk.port)
  end
end

function request()
  now = now + 1
  local variant = math.random(VARIANTS)
  return "GET /user/user-" .. math.random(0, users - 1) .. paths[variant] .. now .. rests[variant]
end

function done(summary)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
    summary.requests, errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
