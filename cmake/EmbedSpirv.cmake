# cmake -DINPUT=file.spv -DOUTPUT=file.inc -P EmbedSpirv.cmake: SPIR-V words as a C array's initialiser.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "(..)(..)(..)(..)" "0x\\4\\3\\2\\1," words "${hex}")
file(WRITE ${OUTPUT} "{${words}}\n")
