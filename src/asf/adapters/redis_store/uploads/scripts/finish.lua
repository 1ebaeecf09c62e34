-- Continues common.lua. ARGV: also `complete` or `failed`, and a reason, which may be empty.
-- Returns what has happened. A queue that has ended stays as it is.
if redis.call('HEXISTS', uploads, name) == 0 then
    return 'missing'
end
local size, _, ending = tail()
if not ending then
    local entry = {'offset', string.format('%d', size), 'end', ARGV[2]}
    if ARGV[3] ~= '' then
        entry[5], entry[6] = 'reason', ARGV[3]
    end
    redis.call('XADD', queue, '*', unpack(entry))
end
return 'done'
