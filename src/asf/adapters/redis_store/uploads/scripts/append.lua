-- Continues common.lua. ARGV: also an offset, a piece of audio, and the limit of all uploads together.
-- Returns what has happened, and how many bytes the queue has. A piece that was just added is not added again.
local offset, piece, limit = tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
if redis.call('HEXISTS', uploads, name) == 0 then
    return {'missing', 0}
end
local size, audio, ending = tail()
if size == offset + #piece and audio == piece and not ending then
    return {'done', size}
end
if size ~= offset or ending then
    return {'mismatch', size}
end
if tonumber(redis.call('GET', total) or 0) + #piece > limit then
    return {'full', size}
end
redis.call('XADD', queue, '*', 'offset', ARGV[2], 'audio', piece)
redis.call('INCRBY', total, #piece)
return {'done', size + #piece}
