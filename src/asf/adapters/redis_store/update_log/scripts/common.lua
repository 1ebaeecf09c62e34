-- Common start of the history's scripts. ARGV[1] is a JSON object with the named arguments.
--
-- KEYS[1], the log, is a hash: the Redis process that wrote it last (`run`), how many updates had been appended at
-- the end of each earlier one (`end of …`) and now (`appended`), the epoch of new clients, how many bytes are kept,
-- and the number and epoch of each client. It is lost only as a whole.
--
-- The updates of a client are a list, one for each epoch. An entry is its number among all updates, its bytes, when it
-- was kept, and the payload. KEYS[2], the order of all updates, is a sorted set: that number, bytes, time, and the
-- name of the list. Entries of deleted lists are found when they are due for eviction. KEYS[3] has the clients
-- by the number of their latest update.
--
-- Times are strings, because Lua would round them.

local args = cjson.decode(ARGV[1])
local log, order, clients = KEYS[1], KEYS[2], KEYS[3]
local client_id = args.client_id

local now_text = args.now
if not now_text then
    local time = redis.call('TIME')
    now_text = time[1] .. '.' .. string.format('%06d', time[2])
end
local now = tonumber(now_text)

local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local run_of_log = redis.call('HGET', log, 'run')

local function start_epoch()
    redis.call('UNLINK', log, order, clients)
    redis.call('HSET', log, 'run', run, 'epoch', args.fresh_epoch)
end

local function last_number()
    return tonumber(redis.call('HGET', log, 'appended') or 0)
end

if run_of_log ~= run then
    if run_of_log and string.find(redis.call('INFO', 'persistence'), 'aof_enabled:1', 1, true) then
        redis.call('HSET', log, 'run', run, 'end of ' .. run_of_log, last_number())
    else
        start_epoch()
    end
end
if args.known_run ~= run then
    local last = redis.call('HGET', log, 'end of ' .. args.known_run)
    if last and args.known_number > tonumber(last) then
        start_epoch()
    end
end

local seq, epoch = 0, nil
local client = redis.call('HGET', log, 'client:' .. client_id)
if client then
    seq, epoch = string.match(client, '^(%d+) (.*)$')
    seq = tonumber(seq)
else
    epoch = redis.call('HGET', log, 'epoch')
end
local name = epoch .. ':' .. client_id
local updates = args.updates_prefix .. name

local function evict_oldest(name)
    local entry = redis.call('LPOP', args.updates_prefix .. name)
    local number, bytes, since = string.match(entry, '^(%d+) (%d+) (%S+)')
    redis.call('ZREM', order, number .. ' ' .. bytes .. ' ' .. since .. ' ' .. name)
    redis.call('HINCRBY', log, 'bytes', -bytes)
end

local function is_expired(since)
    return tonumber(since) <= now - args.max_seconds
end

local function evict_expired()
    local head = redis.call('LINDEX', updates, 0)
    while head and is_expired(string.match(head, '^%d+ %d+ (%S+)')) do
        evict_oldest(name)
        head = redis.call('LINDEX', updates, 0)
    end
end
