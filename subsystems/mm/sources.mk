UNITS += mm
mm_STD := core
mm_SRC := subsystems/mm/src/page.c subsystems/mm/src/slab.c
