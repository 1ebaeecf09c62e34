-- Continues common.lua. Deletes the upload.
if redis.call('HDEL', uploads, name) == 1 then
    local size = tail()
    redis.call('DECRBY', total, size)
end
redis.call('UNLINK', queue)
return 'done'
